/*---
description: A country or union has no more users than people, and no more than the platform has in the world.
fix: correct the value or the geography.
---*/

-- Only China and India have more than 400 million people, and neither 1.5 billion.
with placed as (
    select
        *,
        case
            when geography in ('china', 'cn', 'in') then 1.5e9
            when geography = 'eu' then 4.6e8
            else 4e8
        end as people
    from platform_observations
    where unit = 'users' and not starts_with(geography, 'global')
),

compared as (
    select
        placed.line,
        placed.platform_id,
        placed.geography,
        placed.value,
        placed.people,
        max(world.value) as world_users
    from placed
    left join platform_observations as world
        on
            placed.platform_id = world.platform_id
            and placed.metric = world.metric
            and world.geography = 'global'
            and world.bound <> 'at_least'
            and abs(year(placed.period_end_on) - year(world.period_end_on)) <= 1
    group by all
)

select
    'platform_observations' as file_name,
    line,
    value || ' users of ' || platform_id || ' in ' || geography
    || ' are more than its people or the users of the world; right would be at most '
    || least(people, world_users)::bigint as wrong
from compared
where value > least(people, world_users)
