/*---
description: A value lies inside the range or interval that is printed with it.
fix: exchange the ends, or correct the value.
---*/

with ranges as (
    select
        'platform_observations' as file_name,
        line,
        value_low as low,
        value as middle,
        value_high as high
    from platform_observations
    union all
    select
        'training_disclosures' as file_name,
        line,
        value_low as low,
        value as middle,
        value_high as high
    from training_disclosures
    union all
    select
        file_name,
        line,
        rating_low as low,
        rating as middle,
        rating_high as high
    from leaderboard_entries
)

select
    file_name,
    line,
    'low ' || coalesce(low::varchar, 'empty') || ', value ' || coalesce(middle::varchar, 'empty') || ', high '
    || coalesce(high::varchar, 'empty') || '; right would be this order' as wrong
from ranges
where low > high or low > middle or middle > high
