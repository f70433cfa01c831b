/*---
description: Uploads and hours by year, and in the newest month (90 % intervals)
---*/
select
    month,
    round(uploads_per_day_p05 / 1e6, 2) as million_uploads_a_day_p05,
    round(uploads_per_day_p50 / 1e6, 2) as million_uploads_a_day_p50,
    round(uploads_per_day_p95 / 1e6, 2) as million_uploads_a_day_p95,
    round(mean_duration_seconds_p50, 0) as mean_seconds_p50,
    round(stock_hours_p05 / 1e6, 1) as million_hours_public_p05,
    round(stock_hours_p50 / 1e6, 1) as million_hours_public_p50,
    round(stock_hours_p95 / 1e6, 1) as million_hours_public_p95,
    basis
from marts.platform_volume
where
    platform_id = getvariable('platform_id')
    and scenario_id = 'baseline'
    and (month(month) = 1 or month = (select max(newest.month) from marts.platform_volume as newest))
order by month desc
