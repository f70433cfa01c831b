/*---
description: Six questions, on the newest complete captures and on those nearest to the story of 2026-05-14
---*/

with shown as (
    select
        as_of_kind,
        question_number,
        question,
        verdict,
        case when abs(estimate) < 1 then 2 else 0 end as n_decimals,
        estimate,
        estimate_p05,
        estimate_p95,
        unit,
        p_permutation,
        n_owners,
        n_companies
    from marts.moat_answer
),

worded as (
    select
        *,
        case
            when n_decimals = 2
                then round(estimate, 2) || ' (' || round(estimate_p05, 2) || ' to ' || round(estimate_p95, 2) || ')'
            else
                round(estimate)::integer || ' (' || round(estimate_p05)::integer || ' to '
                || round(estimate_p95)::integer || ')'
        end as interval_90
    from shown
)

select
    newest.question,
    newest.interval_90 as newest_estimate_90,
    newest.unit,
    round(newest.p_permutation, 3) as p,
    newest.n_owners as owners,
    newest.n_companies as companies,
    replace(newest.verdict, '_', ' ') as newest,
    story.interval_90 as story_estimate_90,
    replace(story.verdict, '_', ' ') as story_day
from worded as newest
left join worded as story on newest.question_number = story.question_number and story.as_of_kind = 'story'
where newest.as_of_kind = 'newest'
order by newest.question_number
