/*---
description: >
  For every capture that is served for a day, the scale its ratings are on, and how that was decided. A capture can be linked to the one
  before it if it is complete, or lists ten rated entries or more. A new scale begins where the anchor (the one entry
  whose interval has no width) is another, where no entry is shared, or where the median absolute move of the shared entries is above both
  40 points and three times their median half-interval. Over the 265 neighbouring captures of this fact base the largest such median is
  16.6 points (Arena, September to October 2025) and a re-anchoring moves 100 or more; 40 is their geometric mean. Other captures take the scale of the last one that could be
  tied; those before the first are on scale 0, which nothing is compared with.
grain: [board_id, captured_on]
nullable: [anchor_key, anchor_name, anchor_rating, previous_captured_on, n_shared, median_abs_move, median_half_interval]
---*/

with serving as (
    select
        capture_id,
        board_id,
        captured_on,
        capture_status
    from intermediate.int_board__capture
    where is_serving
),

entries as (
    select
        entries.capture_id,
        entries.entry_key,
        entries.entry_name,
        entries.rating,
        (entries.rating_high - entries.rating_low) / 2 as half_interval
    from intermediate.int_board__capture_entry as entries
    inner join serving on entries.capture_id = serving.capture_id
    where entries.rating is not null
),

anchors as (
    select
        capture_id,
        min(entry_key) as anchor_key,
        min(entry_name) as anchor_name,
        min(rating) as anchor_rating
    from entries
    where half_interval = 0
    group by capture_id
    having count(*) = 1
),

rated as (
    select
        capture_id,
        count(*) as n_rated
    from entries
    group by capture_id
),

linkable as (
    select
        serving.board_id,
        serving.captured_on,
        serving.capture_id,
        row_number() over (partition by serving.board_id order by serving.captured_on) as position
    from serving
    inner join rated
        on serving.capture_id = rated.capture_id
    where serving.capture_status = 'ok' or rated.n_rated >= 10
),

pairs as (
    select
        linkable.board_id,
        linkable.captured_on,
        linkable.capture_id,
        linkable.position,
        previous.capture_id as previous_capture_id,
        previous.captured_on as previous_captured_on
    from linkable
    left join linkable as previous
        on linkable.board_id = previous.board_id and linkable.position = previous.position + 1
),

moves as (
    select
        pairs.capture_id,
        count(before.entry_key)::integer as n_shared,
        round(median(abs(now.rating - before.rating)), 3) as median_abs_move,
        round(median(now.half_interval) filter (where before.entry_key is not null), 3) as median_half_interval
    from pairs
    inner join entries as now on pairs.capture_id = now.capture_id
    left join entries as before on pairs.previous_capture_id = before.capture_id and now.entry_key = before.entry_key
    group by pairs.capture_id
),

-- The anchor stated last before this capture, so that a list which leaves the anchor out changes nothing.
anchored as (
    select
        pairs.*,
        anchors.anchor_key,
        anchors.anchor_name,
        anchors.anchor_rating,
        last_value(anchors.anchor_key ignore nulls) over (
            partition by pairs.board_id order by pairs.position
            rows between unbounded preceding and 1 preceding
        ) as previous_anchor_key,
        last_value(anchors.anchor_name ignore nulls) over (
            partition by pairs.board_id order by pairs.position
            rows between unbounded preceding and 1 preceding
        ) as previous_anchor_name
    from pairs
    left join anchors on pairs.capture_id = anchors.capture_id
),

decided as (
    select
        anchored.*,
        moves.n_shared,
        moves.median_abs_move,
        moves.median_half_interval,
        case
            when anchored.previous_captured_on is null then 'first_capture'
            when moves.n_shared = 0 then 'nothing_shared'
            when
                anchored.anchor_key <> anchored.previous_anchor_key
                and anchored.anchor_name <> anchored.previous_anchor_name then 'anchor_changed'
            when
                moves.median_abs_move > greatest(40, 3 * coalesce(moves.median_half_interval, 0))
                then 'ratings_moved_together'
            else 'continues'
        end as detected_by
    from anchored
    inner join moves on anchored.capture_id = moves.capture_id
),

numbered as (
    select
        *,
        (sum(case when detected_by = 'continues' then 0 else 1 end) over (
            partition by board_id order by position
        ))::integer as scale_number
    from decided
)

select
    serving.board_id,
    serving.captured_on,
    serving.capture_id,
    serving.board_id || '/' || coalesce(numbered.scale_number, 0) as scale_id,
    coalesce(numbered.scale_number, 0) as scale_number,
    case
        when numbered.capture_id = serving.capture_id then numbered.detected_by
        when numbered.capture_id is null then 'cannot_be_tied'
        else 'continues'
    end as detected_by,
    case when numbered.capture_id = serving.capture_id then numbered.anchor_key end as anchor_key,
    case when numbered.capture_id = serving.capture_id then numbered.anchor_name end as anchor_name,
    case when numbered.capture_id = serving.capture_id then numbered.anchor_rating end as anchor_rating,
    case when numbered.capture_id = serving.capture_id then numbered.previous_captured_on end as previous_captured_on,
    case when numbered.capture_id = serving.capture_id then numbered.n_shared end as n_shared,
    case when numbered.capture_id = serving.capture_id then numbered.median_abs_move end as median_abs_move,
    case when numbered.capture_id = serving.capture_id then numbered.median_half_interval end as median_half_interval
from serving
left join numbered
    on
        serving.board_id = numbered.board_id
        and numbered.captured_on = (
            select max(earlier.captured_on)
            from numbered as earlier
            where earlier.board_id = serving.board_id and earlier.captured_on <= serving.captured_on
        )
