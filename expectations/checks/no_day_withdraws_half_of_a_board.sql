/*---
description: Where more than half of a board has fewer votes the cause is a recount of the board, never votes removed from each entry.
severity: critical
---*/
select
    changes.board_id,
    changes.captured_on,
    count(*) as n_removed
from marts.rating_change as changes
where changes.cause = 'votes_removed'
group by changes.board_id, changes.captured_on
having
    count(*) > 0.5 * (
        select count(*)
        from marts.leaderboard as listed
        where listed.board_id = changes.board_id and listed.captured_on = changes.captured_on
    )
