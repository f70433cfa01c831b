/*---
description: Who uses a platform in a day uses it in the month around, so daily users are at most the monthly users of one place and period.
fix: exchange the two metrics, or correct the value, period or place.
---*/

select
    'platform_observations' as file_name,
    daily.line,
    daily.value || ' daily users of ' || daily.platform_id || ' are more than the ' || monthly.value
    || ' monthly users of ' || monthly.fact_id || ' in the same period; right would be at most these' as wrong
from platform_observations as daily
inner join platform_observations as monthly
    on
        daily.platform_id = monthly.platform_id
        and daily.geography = monthly.geography
        and daily.period_start_on <= monthly.period_end_on
        and daily.period_end_on >= monthly.period_start_on
where
    daily.metric = 'daily_active_users'
    and monthly.metric = 'monthly_active_users'
    and monthly.bound <> 'at_least'
    and daily.bound <> 'at_most'
    and daily.value > monthly.value
