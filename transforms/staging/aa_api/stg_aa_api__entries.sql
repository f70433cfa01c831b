/*---
description: Entries of the Artificial Analysis video boards as the API served them, one row per entry and day of capture.
grain: [board_id, captured_on, entry_key]
nullable: [entry_slug, creator_name, listed_rank, rating_low, rating_high, n_votes, released_as_stated, is_open_weights, licence_as_stated, board_published_on]
---*/

select
    'aa_' || _request as board_id,
    _captured_on as captured_on,
    route,
    _snapshot_id as snapshot_id,
    id as entry_key,
    name as entry_name,
    slug as entry_slug,
    creator_name,
    try_cast(rank as integer) as listed_rank,
    rank is not null or count(rank) over (partition by _snapshot_id) = 0 as is_ranked,
    elo as rating,
    elo - interval_down as rating_low,
    elo + interval_up as rating_high,
    appearances as n_votes,
    release_date as released_as_stated,
    null::boolean as is_open_weights,
    null::varchar as licence_as_stated,
    null::date as board_published_on
from raw.aa_api__entries
where elo is not null
