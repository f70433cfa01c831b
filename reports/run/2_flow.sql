/*---
description: Platforms with the most hours uploaded per day, as far as they rest on published statistics, projected from last_counted_on to the newest month, with 90 % intervals
---*/
select
    platform_id,
    month,
    round(uploads_per_day_p50 / 1e6, 1) as million_uploads_a_day,
    round(upload_hours_per_day_p05 / 1e6, 2) as million_hours_a_day_p05,
    round(upload_hours_per_day_p50 / 1e6, 2) as million_hours_a_day_p50,
    round(upload_hours_per_day_p95 / 1e6, 2) as million_hours_a_day_p95,
    basis,
    n_observations,
    last_counted_on
from marts.platform_volume
where
    scenario_id = 'baseline'
    and is_in_totals
    and basis in ('measured', 'reported')
    and month = (select max(month) from marts.platform_volume)
order by upload_hours_per_day_p50 desc
limit 6
