/*---
description: A claim about rank is no_data on a day without a complete capture, and only there; a missing board decides nothing.
severity: critical
---*/

select
    checks.claim_id,
    checks.board_id,
    checks.captured_on,
    days.status,
    checks.verdict
from marts.claim_check as checks
inner join marts.board_status as days
    on checks.board_id = days.board_id and checks.captured_on = days.captured_on
where
    checks.claim_id <> 'western-dominance-over'
    and (
        (days.status not in ('ok', 'unchanged', 'partial') and checks.verdict <> 'no_data')
        or (days.status in ('ok', 'unchanged') and checks.verdict = 'no_data')
    )
