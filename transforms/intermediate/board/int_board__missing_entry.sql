/*---
description: >
  Where a model of the register is missing from a video board, from when to when and why: it never was listed although another board of the same task lists it, it left, it lost
  its rank, or the board itself could not be read for more than 14 days. Only complete captures show that an entry is missing; a partial list that names it shows that it was there.
grain: [board_id, model_id, missing_from]
nullable: [missing_to, last_seen_on, last_entry_name, last_rank, last_rating, last_scale_id]
---*/

with boards as (
    select
        board_id,
        task
    from staging.stg_reference__boards
    where board_family = 'video' and scale_kind = 'fitted_rating'
),

entries as (
    select
        entries.board_id,
        boards.task,
        entries.captured_on,
        entries.capture_status,
        entries.model_id,
        entries.entry_name,
        entries.is_ranked,
        entries.rank,
        entries.rating,
        entries.scale_id
    from intermediate.int_board__entry as entries
    inner join boards on entries.board_id = boards.board_id
    where entries.match_status in ('confirmed', 'probable', 'version_only')
),

captures as (
    select
        captures.board_id,
        boards.task,
        captures.captured_on,
        captures.route,
        row_number() over (partition by captures.board_id order by captures.captured_on) as position
    from intermediate.int_board__capture as captures
    inner join boards on captures.board_id = boards.board_id
    where captures.is_serving and captures.capture_status = 'ok'
),

best as (
    select
        *,
        bool_or(is_ranked) over (partition by board_id, captured_on, model_id) as has_rank
    from entries
    qualify row_number() over (
        partition by board_id, captured_on, model_id
        order by is_ranked desc, rating desc nulls last, entry_name asc
    ) = 1
),

first_on_board as (
    select
        board_id,
        model_id,
        min(captured_on) as first_on
    from entries
    group by board_id, model_id
),

first_on_task as (
    select
        task,
        model_id,
        min(captured_on) as first_on
    from entries
    group by task, model_id
),

never_listed as (
    select
        boards.board_id,
        first_on_task.model_id,
        min(captures.captured_on) as missing_from
    from first_on_task
    inner join boards on first_on_task.task = boards.task
    inner join captures on boards.board_id = captures.board_id and first_on_task.first_on <= captures.captured_on
    left join first_on_board
        on boards.board_id = first_on_board.board_id and first_on_task.model_id = first_on_board.model_id
    where first_on_board.model_id is null
    group by boards.board_id, first_on_task.model_id
),

-- After its first day on the board a model is, at each complete capture, ranked, unranked or absent.
states as (
    select
        captures.board_id,
        captures.captured_on,
        captures.route,
        captures.position,
        first_on_board.model_id,
        case when best.model_id is null then 'left' when best.has_rank then 'ranked' else 'unranked' end as state
    from captures
    inner join first_on_board
        on captures.board_id = first_on_board.board_id and captures.captured_on >= first_on_board.first_on
    left join best
        on
            captures.board_id = best.board_id
            and captures.captured_on = best.captured_on
            and first_on_board.model_id = best.model_id
),

runs as (
    select
        *,
        position - row_number() over (
            partition by board_id, model_id, state = 'ranked' order by position
        ) as run_number
    from states
),

absences as (
    select
        runs.board_id,
        runs.model_id,
        min(runs.captured_on) as missing_from,
        max(runs.captured_on) as last_missing_on,
        arg_min(runs.state, runs.position) as reason,
        bool_and(runs.route = 'web') as is_web_only,
        max(runs.position) as last_position
    from runs
    where runs.state <> 'ranked'
    group by runs.board_id, runs.model_id, runs.run_number
),

-- The public web route leaves retired entries unranked while the interface ranks them: where the next capture ranks
-- the entry again, nothing happened to it.
real_absences as (
    select
        absences.board_id,
        absences.model_id,
        absences.missing_from,
        case when later.captured_on is not null then absences.last_missing_on end as missing_to,
        absences.reason
    from absences
    left join captures as later
        on absences.board_id = later.board_id and absences.last_position + 1 = later.position
    where not (absences.is_web_only and absences.reason = 'unranked' and later.captured_on is not null)
),

usable as (
    select
        board_id,
        captured_on,
        lead(captured_on) over (partition by board_id order by captured_on) as next_on
    from intermediate.int_board__status
    where status in ('ok', 'unchanged')
),

unusable as (
    select
        usable.board_id,
        usable.captured_on as last_usable_on,
        min(failed.captured_on) as missing_from,
        max(usable.next_on) - 1 as missing_to
    from usable
    inner join intermediate.int_board__status as failed
        on
            usable.board_id = failed.board_id
            and failed.status in ('empty', 'error')
            and usable.captured_on < failed.captured_on
            and failed.captured_on < coalesce(usable.next_on, date '9999-12-31')
    where coalesce(usable.next_on, getvariable('as_of')::date) - usable.captured_on > 14
    group by usable.board_id, usable.captured_on
),

missing as (
    select
        board_id,
        model_id,
        missing_from,
        null::date as missing_to,
        'never_listed' as reason
    from never_listed
    union all
    select
        board_id,
        model_id,
        missing_from,
        missing_to,
        reason
    from real_absences
    union all
    select
        unusable.board_id,
        best.model_id,
        unusable.missing_from,
        unusable.missing_to,
        'board_unusable' as reason
    from unusable
    inner join
        best
        on unusable.board_id = best.board_id and unusable.last_usable_on = best.captured_on and best.has_rank
)

select
    missing.board_id,
    missing.model_id,
    missing.missing_from,
    missing.missing_to,
    missing.reason,
    best.captured_on as last_seen_on,
    best.entry_name as last_entry_name,
    best.rank as last_rank,
    best.rating as last_rating,
    best.scale_id as last_scale_id
from missing
left join best
    on
        missing.board_id = best.board_id
        and missing.model_id = best.model_id
        and best.captured_on = (
            select max(earlier.captured_on)
            from best as earlier
            where
                earlier.board_id = missing.board_id
                and earlier.model_id = missing.model_id
                and earlier.has_rank
                and earlier.captured_on < missing.missing_from
        )
