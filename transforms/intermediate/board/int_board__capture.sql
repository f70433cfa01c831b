/*---
description: >
  Every capture of every board, transcribed or live, with its quality: how many of its entries have a rating, an interval
  and votes, and which one serves its day. Of two captures of one board and day one serves, whole: a complete one before a
  partial one, then the publisher's later one, then one that shows retired entries, then the one with more cells filled, then a live one
  before a transcribed one, then by route. Two fits are never mixed.
  A capture that is unverified, empty or an error never serves; nor does a live response that only repeats an earlier publication (unchanged).
grain: [capture_id]
nullable: [n_listed, board_published_on, note]
---*/

with live as (
    select
        capture_id,
        board_id,
        captured_on,
        route,
        count(*)::integer as n_listed,
        max(board_published_on) as board_published_on
    from intermediate.int_board__capture_entry
    where is_live
    group by all
),

-- Live responses without a capture of their own for their day; their requests are named after the boards.
-- A source that serves publications repeats the last one on most days: on those days the board is unchanged.
answers as (
    select
        'live:' || snapshots.snapshot_id || ':' || snapshots.request as capture_id,
        boards.board_id,
        snapshots.captured_on,
        case
            when
                snapshots.validation_status = 'error'
                or not snapshots.is_served::boolean and snapshots.n_rows::bigint > 0
                then 'error'
            when snapshots.n_rows::bigint = 0 then 'empty'
            else 'unchanged'
        end as capture_status,
        snapshots.reason
    from meta.snapshots as snapshots
    inner join staging.stg_reference__boards as boards
        on split_part(snapshots.source_id, '_', 1) || '_' || split_part(snapshots.request, '/', 1) = boards.board_id
    left join live
        on
            boards.board_id = live.board_id
            and snapshots.captured_on = live.captured_on
            and starts_with(live.capture_id, 'live:' || snapshots.snapshot_id || ':')
    where
        snapshots.source_id in ('aa_api', 'aa_web', 'arena_dataset', 'arena_web')
        and (snapshots.is_served::boolean or snapshots.validation_status in ('error', 'suspicious'))
        and live.capture_id is null
),

captures as (
    select
        capture_id,
        board_id,
        captured_on,
        route,
        false as is_live,
        capture_status,
        n_listed,
        board_published_on,
        verification,
        citation_id,
        note
    from staging.stg_reference__leaderboard_captures
    union all
    select
        capture_id,
        board_id,
        captured_on,
        route,
        true as is_live,
        'ok' as capture_status,
        n_listed,
        board_published_on,
        'snapshot' as verification,
        case when board_id like 'aa%' then 'C2201' else 'C2202' end as citation_id,
        null as note
    from live
    union all
    select
        capture_id,
        board_id,
        captured_on,
        'live' as route,
        true as is_live,
        capture_status,
        0 as n_listed,
        null as board_published_on,
        'snapshot' as verification,
        case when board_id like 'aa%' then 'C2201' else 'C2202' end as citation_id,
        reason as note
    from answers
),

filled as (
    select
        capture_id,
        count(*)::integer as n_held,
        (count(rating) + count(rating_low) + count(n_votes))::integer as n_cells_filled,
        (count(*) filter (where not is_ranked))::integer as n_retired
    from intermediate.int_board__capture_entry
    group by capture_id
),

validated as (
    select
        captures.*,
        coalesce(filled.n_held, 0) as n_held,
        coalesce(filled.n_cells_filled, 0) as n_cells_filled,
        coalesce(filled.n_retired, 0) as n_retired,
        captures.capture_status in ('ok', 'partial')
        and captures.verification <> 'UNVERIFIED'
        and coalesce(filled.n_held, 0) > 0 as is_usable
    from captures
    left join filled on captures.capture_id = filled.capture_id
)

select
    capture_id,
    board_id,
    captured_on,
    route,
    is_live,
    capture_status,
    n_listed,
    n_held,
    n_cells_filled,
    n_retired,
    board_published_on,
    verification,
    citation_id,
    note,
    is_usable,
    is_usable and row_number() over (
        partition by board_id, captured_on, is_usable
        order by
            capture_status = 'ok' desc,
            board_published_on desc nulls last,
            n_retired > 0 desc,
            n_cells_filled desc,
            is_live desc,
            case route
                when 'api' then 1
                when 'dataset' then 2
                when 'page' then 3
                when 'web' then 4
                when 'api_free' then 5
                else 6
            end,
            capture_id asc
    ) = 1 as is_serving
from validated
