/*---
description: Entries of Arena's video boards from its dataset, one row per entry and publication; a publication is taken from the newest file that holds it.
grain: [board_id, captured_on, entry_key]
nullable: [entry_slug, creator_name, listed_rank, rating_low, rating_high, n_votes, released_as_stated, is_open_weights, licence_as_stated, board_published_on]
---*/

with newest as (
    select
        _request,
        leaderboard_publish_date,
        max(_captured_on) as _captured_on
    from raw.arena_dataset__entries
    group by _request, leaderboard_publish_date
)

select
    'arena_' || entries._request as board_id,
    entries.leaderboard_publish_date as captured_on,
    'dataset' as route,
    entries._snapshot_id as snapshot_id,
    entries.model_name as entry_key,
    entries.model_name as entry_name,
    null::varchar as entry_slug,
    entries.organization as creator_name,
    try_cast(entries.rank as integer) as listed_rank,
    entries.rank is not null
    or count(entries.rank) over (partition by entries._snapshot_id, entries.leaderboard_publish_date) = 0 as is_ranked,
    entries.rating,
    entries.rating_lower as rating_low,
    entries.rating_upper as rating_high,
    entries.vote_count as n_votes,
    null::varchar as released_as_stated,
    null::boolean as is_open_weights,
    entries.license as licence_as_stated,
    entries.leaderboard_publish_date as board_published_on
from raw.arena_dataset__entries as entries
inner join newest using (_request, leaderboard_publish_date, _captured_on)
where entries.category = 'overall' and entries.rating is not null
