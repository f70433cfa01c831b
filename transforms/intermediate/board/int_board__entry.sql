/*---
description: >
  The entries of the one capture that serves each board and day, with rank, scale, model and company. In a complete board the rank is computed over the entries
  the board itself ranks, by rating, and equal ratings share the better rank; in a partial list it is the rank the source gives.
grain: [board_id, captured_on, entry_key]
nullable:
  - creator_name
  - variant
  - has_audio
  - rank
  - listed_rank
  - rating
  - rating_low
  - rating_high
  - n_votes
  - released_on
---*/

with served as (
    select
        entries.*,
        captures.capture_status,
        captures.n_retired,
        captures.citation_id as capture_citation_id,
        boards.source_id,
        boards.board_family,
        boards.has_audio as board_has_audio,
        links.scale_id
    from intermediate.int_board__capture_entry as entries
    inner join
        intermediate.int_board__capture as captures
        on entries.capture_id = captures.capture_id and captures.is_serving
    inner join staging.stg_reference__boards as boards on entries.board_id = boards.board_id
    inner join intermediate.int_board__scale_link as links
        on entries.board_id = links.board_id and entries.captured_on = links.captured_on
),

-- A capture that lists an entry without a rank shows which entries are retired; one that does not takes the state of each entry from the nearest that does.
flagged as (
    select
        captures.board_id,
        captures.captured_on,
        entries.entry_key,
        entries.is_ranked
    from intermediate.int_board__capture as captures
    inner join intermediate.int_board__capture_entry as entries on captures.capture_id = entries.capture_id
    where captures.is_usable and captures.capture_status = 'ok' and captures.n_retired > 0
),

inherited as (
    select
        served.capture_id,
        served.entry_key,
        flagged.is_ranked
    from served
    inner join flagged on served.board_id = flagged.board_id and served.entry_key = flagged.entry_key
    where served.n_retired = 0 and served.capture_status = 'ok'
    qualify row_number() over (
        partition by served.capture_id, served.entry_key
        order by abs(served.captured_on - flagged.captured_on), flagged.captured_on, flagged.is_ranked
    ) = 1
),

stated as (
    select served.* replace (coalesce(inherited.is_ranked, served.is_ranked) as is_ranked)
    from served
    left join inherited on served.capture_id = inherited.capture_id and served.entry_key = inherited.entry_key
),

ranked as (
    select
        *,
        case
            when capture_status <> 'ok' then listed_rank
            when is_ranked and rating is not null
                then (rank() over (
                    partition by board_id, captured_on
                    order by case when is_ranked then rating end desc nulls last
                ))::integer
        end as computed_rank
    from stated
)

select
    ranked.board_id,
    ranked.captured_on,
    ranked.entry_key,
    ranked.capture_id,
    ranked.capture_status,
    ranked.route,
    ranked.source_id,
    ranked.board_family,
    ranked.scale_id,
    ranked.entry_name,
    ranked.creator_name,
    coalesce(curated.model_id, undecided.model_id) as model_id,
    coalesce(curated.lab_id, undecided.lab_id) as lab_id,
    coalesce(curated.company_id, undecided.company_id) as company_id,
    coalesce(curated.match_status, undecided.match_status) as match_status,
    curated.variant,
    coalesce(ranked.board_has_audio, curated.has_audio) as has_audio,
    ranked.is_ranked,
    ranked.computed_rank as rank,
    ranked.listed_rank,
    ranked.rating,
    ranked.rating_low,
    ranked.rating_high,
    coalesce(ranked.entry_key = scales.anchor_key and ranked.rating = scales.anchor_rating, false) as is_anchor,
    ranked.n_votes,
    releases.released_on,
    list_sort(list_distinct([ranked.capture_citation_id, coalesce(curated.citation_id, undecided.citation_id)]))
        as citation_ids
from ranked
left join intermediate.int_entry__match as curated
    on
        curated.is_curated
        and ranked.source_id = curated.source_id
        and ranked.entry_key = curated.entry_key
        and ranked.captured_on >= curated.valid_from
        and ranked.captured_on <= coalesce(curated.valid_to, date '9999-12-31')
left join intermediate.int_entry__match as undecided
    on not undecided.is_curated and ranked.source_id = undecided.source_id and ranked.entry_key = undecided.entry_key
left join
    intermediate.int_board__scale as scales
    on ranked.scale_id = scales.scale_id and ranked.board_id = scales.board_id
left join intermediate.int_model__release as releases on curated.model_id = releases.model_id
