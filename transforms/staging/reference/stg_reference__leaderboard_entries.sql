/*---
description: Entries of the transcribed captures, in the same columns as those of the live sources.
grain: [capture_id, entry_key]
nullable: [creator_name, listed_rank, rating, rating_low, rating_high, n_votes, released_as_stated]
---*/

with entries as (
    select * from raw.reference__leaderboard_entries_artificial_analysis
    union all
    select * from raw.reference__leaderboard_entries_arena
    union all
    select * from raw.reference__leaderboard_entries_vbench
)

select
    entries.capture_id,
    captures.board_id,
    captures.captured_on,
    entries.entry_key,
    entries.entry_name,
    entries.creator_name,
    entries.listed_rank::integer as listed_rank,
    entries.is_ranked,
    entries.rating,
    entries.rating_low,
    entries.rating_high,
    entries.n_votes,
    entries.released_as_stated
from entries
inner join raw.reference__leaderboard_captures as captures on entries.capture_id = captures.capture_id
