/*---
description: A better rank has no lower rating, but for rounding.
fix: correct the rank or the rating.
---*/

with entries as (
    select
        'leaderboard_entries_artificial_analysis' as file_name,
        line,
        capture_id,
        entry_name,
        listed_rank,
        rating
    from leaderboard_entries_artificial_analysis
    where is_ranked and listed_rank is not null and rating is not null
    union all
    select
        'leaderboard_entries_arena' as file_name,
        line,
        capture_id,
        entry_name,
        listed_rank,
        rating
    from leaderboard_entries_arena
    where is_ranked and listed_rank is not null and rating is not null
    union all
    select
        'leaderboard_entries_vbench' as file_name,
        line,
        capture_id,
        entry_name,
        listed_rank,
        rating
    from leaderboard_entries_vbench
    where is_ranked and listed_rank is not null and rating is not null
),

ordered as (
    select
        *,
        lag(rating) over (partition by capture_id order by listed_rank asc, rating desc) as better_rating,
        lag(listed_rank) over (partition by capture_id order by listed_rank asc, rating desc) as better_rank
    from entries
)

select
    file_name,
    line,
    entry_name || ' has rank ' || listed_rank || ' and rating ' || rating || ' in ' || capture_id
    || '; right would be at most the ' || better_rating || ' of rank ' || better_rank as wrong
from ordered
where listed_rank > better_rank and rating > better_rating + 1
