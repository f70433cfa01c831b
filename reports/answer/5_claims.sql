/*---
description: The claims of the story on its day (2026-05-14) and now; for claims about boards, on how many of them
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
),

counted as (
    select
        moment,
        claim_id,
        verdict,
        replace(verdict, '_', ' ') || case when any_value(board_id) = 'no_board' then '' else ' on ' || count(*) end as words
    from moments
    group by moment, claim_id, verdict
),

worded as (
    select
        moment,
        claim_id,
        string_agg(
            words, ', '
            order by list_position(['true', 'false', 'cannot_tell', 'not_testable', 'no_data'], verdict)
        ) as words
    from counted
    group by moment, claim_id
)

select
    claims.claim_text as claim,
    coalesce(may.words, 'not about that day') as on_2026_05_14,
    coalesce(now.words, 'no capture') as now
from (select distinct claim_id, claim_text from decided) as claims
left join worded as may on claims.claim_id = may.claim_id and may.moment = 'may'
left join worded as now on claims.claim_id = now.claim_id and now.moment = 'now'
order by claims.claim_id
