/*---
description: Every day with a board is ok or unchanged, and every such day has a board read that day or the one it repeats; an empty, missing or partial day has none.
severity: critical
---*/

with boards as (
    select distinct
        board_id,
        captured_on
    from marts.leaderboard
)

select
    coalesce(days.board_id, boards.board_id) as board_id,
    coalesce(days.captured_on, boards.captured_on) as captured_on,
    days.status,
    days.board_read_on
from marts.board_status as days
full join boards on days.board_id = boards.board_id and days.captured_on = boards.captured_on
left join boards as repeated on days.board_id = repeated.board_id and days.board_read_on = repeated.captured_on
where
    (boards.board_id is not null and coalesce(days.status, 'missing') not in ('ok', 'unchanged'))
    or (days.status in ('ok', 'unchanged') and repeated.board_id is null)
    or (days.status = 'ok' and boards.board_id is null)
