/*---
description: Its platforms in that month
---*/
select
    owned.platform_id,
    owned.owned_part,
    owned.is_short,
    round(volumes.uploads_per_day_p50 / 1e6, 2) as million_uploads_a_day,
    round(volumes.stock_hours_p50 / 1e6, 2) as million_hours_public,
    volumes.basis,
    volumes.last_counted_on
from marts.company_platform as owned
inner join marts.platform_volume as volumes
    on owned.platform_id = volumes.platform_id and owned.month = volumes.month and volumes.scenario_id = 'baseline'
where
    owned.company_id = getvariable('company_id')
    and owned.month = (select max(month) from marts.company_platform)
order by volumes.stock_hours_p50 desc
