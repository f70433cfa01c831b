/*---
description: Entries of Arena's boards as archived scrapes of its page list them, one row per entry and day of capture.
grain: [board_id, captured_on, entry_key]
nullable: [entry_slug, creator_name, listed_rank, rating_low, rating_high, n_votes, released_as_stated, is_open_weights, licence_as_stated, board_published_on]
---*/

select
    'arena_' || _request as board_id,
    _captured_on as captured_on,
    'page' as route,
    _snapshot_id as snapshot_id,
    model as entry_key,
    model as entry_name,
    null::varchar as entry_slug,
    vendor as creator_name,
    try_cast(rank as integer) as listed_rank,
    rank is not null or count(rank) over (partition by _snapshot_id) = 0 as is_ranked,
    score as rating,
    score - interval_down as rating_low,
    score + interval_up as rating_high,
    votes as n_votes,
    null::varchar as released_as_stated,
    null::boolean as is_open_weights,
    license as licence_as_stated,
    try_strptime(last_updated, '%b %d, %Y')::date as board_published_on
from raw.arena_web__entries
where score is not null
