/*---
description: A change of rating is given only where both captures are on one scale.
severity: critical
---*/

select
    changes.board_id,
    changes.entry_key,
    changes.captured_on,
    changes.rating_change,
    before.scale_id as scale_before,
    now.scale_id as scale_now
from marts.rating_change as changes
inner join marts.leaderboard as now
    on
        changes.board_id = now.board_id
        and changes.entry_key = now.entry_key
        and changes.captured_on = now.captured_on
inner join marts.leaderboard as before
    on
        changes.board_id = before.board_id
        and changes.entry_key = before.entry_key
        and changes.previous_on = before.captured_on
where
    (before.scale_id <> now.scale_id and (changes.rating_change is not null or changes.cause <> 'scale_change'))
    or (before.scale_id = now.scale_id and changes.cause = 'scale_change')
