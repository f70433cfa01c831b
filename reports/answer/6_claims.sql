/*---
description: The claims, on the newest day of each board that decides them
---*/

with latest as (
    select
        claim_id,
        claim_text,
        board_id,
        verdict
    from marts.claim_check
    where verdict <> 'no_data' or board_id = 'no_board'
    qualify row_number() over (partition by claim_id, board_id order by captured_on desc) = 1
)

select
    claim_id as claim,
    claim_text as text,
    count(*) filter (where verdict = 'true') as is_true,
    count(*) filter (where verdict = 'false') as is_false,
    count(*) filter (where verdict = 'cannot_tell') as cannot_tell,
    count(*) filter (where verdict = 'not_testable') as not_testable,
    count(*) filter (where verdict = 'no_data') as no_data
from latest
group by claim_id, claim_text
order by claim_id
