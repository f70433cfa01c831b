/*---
description: Every entry of every capture of a board, transcribed or live, in one shape, ratings to two decimals and creators without blanks around them as they are transcribed. A new live source is one more line.
grain: [capture_id, entry_key]
nullable: [creator_name, listed_rank, rating, rating_low, rating_high, n_votes, released_as_stated, is_open_weights, board_published_on]
---*/

with live as (
    select * from staging.stg_aa_api__entries
    union all
    select * from staging.stg_aa_web__entries
    union all
    select * from staging.stg_arena_dataset__entries
    union all
    select * from staging.stg_arena_web__entries
)

select
    entries.capture_id,
    entries.board_id,
    entries.captured_on,
    captures.route,
    false as is_live,
    entries.entry_key,
    entries.entry_name,
    entries.creator_name,
    entries.listed_rank,
    entries.is_ranked,
    entries.rating,
    entries.rating_low,
    entries.rating_high,
    entries.n_votes,
    entries.released_as_stated,
    null::boolean as is_open_weights,
    captures.board_published_on
from staging.stg_reference__leaderboard_entries as entries
inner join staging.stg_reference__leaderboard_captures as captures on entries.capture_id = captures.capture_id
union all
select
    'live:' || live.snapshot_id || ':' || live.board_id || ':' || live.captured_on as capture_id,
    live.board_id,
    live.captured_on,
    live.route,
    true as is_live,
    live.entry_key,
    live.entry_name,
    trim(live.creator_name) as creator_name,
    live.listed_rank,
    live.is_ranked,
    round(live.rating, 2) as rating,
    round(live.rating_low, 2) as rating_low,
    round(live.rating_high, 2) as rating_high,
    live.n_votes,
    live.released_as_stated,
    live.is_open_weights,
    live.board_published_on
from live
