/*---
description: The scales a board has had; ratings on two of them are never subtracted, averaged or joined in a series.
grain: [board_id, scale_id]
nullable: [valid_to, anchor_key, anchor_entry_name, anchor_rating]
---*/

with links as (
    select
        board_id,
        scale_id,
        scale_number,
        captured_on,
        detected_by,
        anchor_key,
        anchor_name,
        anchor_rating,
        previous_captured_on,
        n_shared,
        median_abs_move
    from intermediate.int_board__scale_link
),

grouped as (
    select
        board_id,
        scale_id,
        scale_number,
        min(captured_on) as valid_from,
        max(captured_on) as last_captured_on,
        min(detected_by) filter (where detected_by <> 'continues') as detected_by,
        arg_min(anchor_key, captured_on) filter (where anchor_key is not null) as anchor_key,
        arg_max(anchor_name, captured_on) filter (where anchor_name is not null) as anchor_entry_name,
        arg_min(anchor_rating, captured_on) filter (where anchor_key is not null) as anchor_rating,
        max(n_shared) filter (where detected_by not in ('continues', 'first_capture', 'cannot_be_tied'))
            as n_shared_at_start,
        max(median_abs_move) filter (where detected_by not in ('continues', 'first_capture', 'cannot_be_tied'))
            as move_at_start,
        max(median_abs_move) filter (where detected_by = 'continues') as largest_move_within,
        count(*) as n_captures
    from links
    group by board_id, scale_id, scale_number
)

select
    board_id,
    scale_id,
    valid_from,
    case
        when lead(valid_from) over (partition by board_id order by scale_number) is not null then last_captured_on
    end as valid_to,
    anchor_key,
    anchor_entry_name,
    anchor_rating,
    detected_by,
    case detected_by
        when 'cannot_be_tied' then 'a few places each, with nothing to tie them to a later board; '
        when 'first_capture' then 'first board that can be tied; '
        when 'nothing_shared' then 'no entry shared with the board before; '
        when 'anchor_changed' then 'another entry holds the scale; '
        else ''
    end
    || coalesce(n_shared_at_start || ' shared entries moved by ' || round(move_at_start, 1) || ' points (median); ', '')
    || n_captures || ' capture(s) on it'
    || coalesce(', largest median move between neighbours ' || round(largest_move_within, 1) || ' points', '')
        as evidence
from grouped
