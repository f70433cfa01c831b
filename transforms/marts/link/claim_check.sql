/*---
description: >
  The ledger of claims: the verdict on each claim for each board and day it is about. A claim that is not about a board has one row, under `no_board`.
  The query that decides a claim is in claim.
  An absent model is not_testable and a day without a complete capture no_data, never false.
grain: [claim_id, board_id, captured_on]
nullable: [gap_to_leader, gap_exceeds_interval]
rows: {min: 1000}
caveats:
  - Verdicts on ranks go by the board's own order; gap_exceeds_interval shows whether the gap is more than chance.
  - Every calendar day of a board has a row, so that counting rows counts days, most of them without a capture; boards share models, and days share boards.
---*/

select
    checks.claim_id,
    checks.board_id,
    checks.captured_on,
    claims.claim_text,
    checks.verdict,
    checks.evidence,
    checks.gap_to_leader,
    checks.gap_exceeds_interval,
    claims.claim_origin
from intermediate.int_claim__check as checks
inner join staging.stg_reference__claims as claims on checks.claim_id = claims.claim_id
order by checks.claim_id, checks.board_id, checks.captured_on
