/*---
description: From a board's first capture to its last no calendar day is left out, so that a gap can be seen.
severity: critical
---*/

select
    board_id,
    count(*) as n_rows,
    max(captured_on) - min(captured_on) + 1 as n_calendar_days
from marts.board_status
group by board_id
having count(*) <> max(captured_on) - min(captured_on) + 1
