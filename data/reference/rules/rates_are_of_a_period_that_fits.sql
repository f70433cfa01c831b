/*---
description: A rate or a count of users is of a period over which it can be one number.
fix: give the days that the page gives; a number of everything since the start is a total.
---*/

with limited as (
    select
        *,
        period_end_on - period_start_on + 1 as n_days,
        case
            when regexp_matches(metric, '_per_(month|quarter|year)$|_active_users$|^eu_monthly') then 400
            when regexp_matches(metric, '_per_(day|minute)$') then 6 * 366
        end as n_days_most
    from platform_observations
)

select
    'platform_observations' as file_name,
    line,
    metric || ' over ' || n_days || ' days is no one number; right would be at most ' || n_days_most || ' days' as wrong
from limited
where n_days > n_days_most
