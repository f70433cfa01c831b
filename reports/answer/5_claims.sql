/*---
description: The claims of the story, on its day and now; counts are boards, or 1 where a claim is not about a board
---*/

with decided as (
    select
        claim_id,
        claim_text,
        board_id,
        captured_on,
        verdict
    from marts.claim_check
    where verdict <> 'no_data' or board_id = 'no_board'
),

moments as (
    select
        'now' as moment,
        *
    from decided
    qualify row_number() over (partition by claim_id, board_id order by captured_on desc) = 1
    union all
    select
        'may' as moment,
        *
    from decided
    where captured_on <= date '2026-05-14' or board_id = 'no_board'
    qualify row_number() over (
        partition by claim_id, board_id order by abs(captured_on - date '2026-05-14'), captured_on desc
    ) = 1
)

select
    claim_id as claim,
    claim_text as text,
    count(*) filter (where moment = 'may' and verdict = 'true') as true_on_2026_05_14,
    count(*) filter (where moment = 'may' and verdict = 'false') as false_on_2026_05_14,
    count(*) filter (where moment = 'may' and verdict in ('cannot_tell', 'not_testable', 'no_data')) as open_on_2026_05_14,
    count(*) filter (where moment = 'now' and verdict = 'true') as true_now,
    count(*) filter (where moment = 'now' and verdict = 'false') as false_now,
    count(*) filter (where moment = 'now' and verdict in ('cannot_tell', 'not_testable', 'no_data')) as open_now
from moments
group by claim_id, claim_text
order by claim_id
