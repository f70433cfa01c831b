/*---
description: >
  What happened to each entry between one complete capture of a board and the next. An entry that changed nothing has no row. Half a point is the rounding of the coarsest route, so a rating moved if it moved by more.
  The cause is the first that fits: entered, left, scale_change, renamed, retired (it has lost its rank), restored, recount (more than half of the board has fewer votes), votes_removed (it has fewer votes), refit (it moved without new votes of its own, or by more than its own new votes can carry), new_votes.
grain: [board_id, entry_key, captured_on]
nullable: [rating_change, n_votes_change, rank_change, cause, previous_entry_name]
caveats:
  - Votes are withdrawn as well as added, so a large move need not mean new votes.
  - The cause is empty where a rating moved and the capture gives no votes.
---*/

with complete as (
    select distinct
        board_id,
        captured_on
    from intermediate.int_board__entry
    where capture_status = 'ok'
),

captures as (
    select
        board_id,
        captured_on,
        lag(captured_on) over (partition by board_id order by captured_on) as previous_on
    from complete
),

entries as (
    select
        board_id,
        captured_on,
        entry_key,
        entry_name,
        scale_id,
        rating,
        n_votes,
        is_ranked,
        rank
    from intermediate.int_board__entry
    where capture_status = 'ok'
),

present as (
    select
        captures.board_id,
        captures.captured_on,
        captures.previous_on,
        now.entry_key,
        now.entry_name,
        before.entry_key is null as has_entered,
        false as has_left,
        before.entry_name as previous_entry_name,
        now.scale_id <> before.scale_id as is_rescaled,
        now.rating - before.rating as rating_change,
        now.n_votes - before.n_votes as n_votes_change,
        before.is_ranked and not now.is_ranked as is_retired,
        now.is_ranked and not before.is_ranked as is_restored,
        before.n_votes as previous_n_votes,
        now.rank - before.rank as rank_change
    from captures
    inner join entries as now on captures.board_id = now.board_id and captures.captured_on = now.captured_on
    left join entries as before
        on
            captures.board_id = before.board_id
            and captures.previous_on = before.captured_on
            and now.entry_key = before.entry_key
    where captures.previous_on is not null
),

gone as (
    select
        captures.board_id,
        captures.captured_on,
        captures.previous_on,
        before.entry_key,
        before.entry_name,
        false as has_entered,
        true as has_left,
        before.entry_name as previous_entry_name,
        false as is_rescaled,
        null::double as rating_change,
        null::bigint as n_votes_change,
        false as is_retired,
        false as is_restored,
        null::bigint as previous_n_votes,
        null::integer as rank_change
    from captures
    inner join entries as before on captures.board_id = before.board_id and captures.previous_on = before.captured_on
    left join entries as now
        on
            captures.board_id = now.board_id
            and captures.captured_on = now.captured_on
            and before.entry_key = now.entry_key
    where now.entry_key is null
),

changes as (
    select * from present
    union all
    select * from gone
),

counted as (
    select
        *,
        count(case when n_votes_change < 0 then 1 end) over (partition by board_id, captured_on)
        > 0.5 * count(n_votes_change) over (partition by board_id, captured_on) as is_recount
    from changes
),

classified as (
    select
        board_id,
        entry_key,
        captured_on,
        previous_on,
        entry_name,
        previous_entry_name,
        case when is_rescaled then null else round(rating_change, 2) end as rating_change,
        n_votes_change,
        case when is_rescaled then null else rank_change end as rank_change,
        captured_on - previous_on as gap_n_days,
        case
            when has_entered then 'entered'
            when has_left then 'left'
            when is_rescaled then 'scale_change'
            when entry_name <> previous_entry_name then 'renamed'
            when is_retired then 'retired'
            when is_restored then 'restored'
            when n_votes_change < 0 and is_recount then 'recount'
            when n_votes_change < 0 then 'votes_removed'
            when abs(rating_change) > 0.5 and n_votes_change = 0 then 'refit'
            -- k new votes among n, all against odds of three to one, move a Bradley-Terry fit by about 4 * 400 / ln 10 * k / n points.
            when
                abs(rating_change) > 0.5
                and abs(rating_change) > 695.0 * n_votes_change / (previous_n_votes + n_votes_change)
                then 'refit'
            when n_votes_change > 0 then 'new_votes'
        end as cause,
        abs(rating_change) > 0.5 as has_moved
    from counted
)

select
    board_id,
    entry_key,
    captured_on,
    previous_on,
    entry_name,
    previous_entry_name,
    rating_change,
    n_votes_change,
    rank_change,
    gap_n_days::integer as gap_n_days,
    cause
from classified
where cause is not null or has_moved
