/*---
description: Pages and boards are of days between 1990 and today.
fix: correct the year.
---*/

with days as (
    select
        'citations' as file_name,
        line,
        'read_on' as column_name,
        read_on::varchar as stated
    from citations
    union all
    select
        'citations' as file_name,
        line,
        'published_on' as column_name,
        published_on::varchar as stated
    from citations
    union all
    select
        'leaderboard_captures' as file_name,
        line,
        'captured_on' as column_name,
        captured_on::varchar as stated
    from leaderboard_captures
    union all
    select
        'leaderboard_captures' as file_name,
        line,
        'board_published_on' as column_name,
        board_published_on::varchar as stated
    from leaderboard_captures
    union all
    select
        'platform_observations' as file_name,
        line,
        'period_end_on' as column_name,
        period_end_on::varchar as stated
    from platform_observations
    union all
    select
        'platform_observations' as file_name,
        line,
        'observed_on' as column_name,
        observed_on::varchar as stated
    from platform_observations
    union all
    select
        'models' as file_name,
        line,
        'released_on' as column_name,
        released_on::varchar as stated
    from models
)

select
    file_name,
    line,
    column_name || ' is ' || stated || '; right would be a day between 1990 and ' || getvariable('today') as wrong
from days
where stated < '1990' or stated > strftime(getvariable('today')::date, '%Y-%m-%d')
