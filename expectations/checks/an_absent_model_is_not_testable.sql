/*---
description: On a complete board without the model a claim speaks of, the claim is not testable; absence is not defeat.
severity: critical
---*/

with standing as (
    select
        board_id,
        captured_on,
        count(*) filter (where model_id like 'kling-3-0-%') as n_kling,
        count(*) filter (where model_id = 'seedance-2-0') as n_seedance
    from marts.leaderboard
    where rank is not null
    group by board_id, captured_on
)

select
    checks.claim_id,
    checks.board_id,
    checks.captured_on,
    checks.verdict,
    standing.n_kling,
    standing.n_seedance
from marts.claim_check as checks
inner join standing on checks.board_id = standing.board_id and checks.captured_on = standing.captured_on
where
    (checks.claim_id = 'kling-3-leads' and (standing.n_kling = 0) <> (checks.verdict = 'not_testable'))
    or (checks.claim_id = 'seedance-2-leads' and (standing.n_seedance = 0) <> (checks.verdict = 'not_testable'))
    or (
        checks.claim_id = 'kling-3-and-seedance-2-lead'
        and (standing.n_kling = 0 or standing.n_seedance = 0) <> (checks.verdict = 'not_testable')
    )
