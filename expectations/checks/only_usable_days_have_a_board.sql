/*---
description: Every day with a board is ok or unchanged, and every such day has its board; an empty, missing or partial day has none.
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
    days.status
from marts.board_status as days
full join boards on days.board_id = boards.board_id and days.captured_on = boards.captured_on
where (coalesce(days.status, 'missing') in ('ok', 'unchanged')) <> (boards.board_id is not null)
