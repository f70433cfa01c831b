/*---
description: A better rank has no lower rating, but for rounding.
fix: correct the rank or the rating.
---*/

with ordered as (
    select
        *,
        lag(rating) over (partition by capture_id order by listed_rank asc, rating desc) as better_rating,
        lag(listed_rank) over (partition by capture_id order by listed_rank asc, rating desc) as better_rank
    from leaderboard_entries
    where is_ranked and listed_rank is not null and rating is not null
)

select
    file_name,
    line,
    entry_name || ' has rank ' || listed_rank || ' and rating ' || rating || ' in ' || capture_id
    || '; right would be at most the ' || better_rating || ' of rank ' || better_rank as wrong
from ordered
where listed_rank > better_rank and rating > better_rating + 1
