/*---
description: Six questions, on the newest complete captures and on those nearest to the story of 2026-05-14
---*/

with shown as (
    select
        as_of_kind,
        question_number,
        question,
        verdict,
        case when abs(estimate) < 1 then round(estimate, 2) else round(estimate)::integer end
        || ' (' || case when abs(estimate) < 1 then round(estimate_p05, 2) else round(estimate_p05)::integer end
        || ' to ' || case when abs(estimate) < 1 then round(estimate_p95, 2) else round(estimate_p95)::integer end || ')'
            as estimate,
        unit,
        p_permutation,
        n_owners,
        n_companies
    from marts.moat_answer
)

select
    newest.question,
    newest.estimate as newest_estimate_90,
    newest.unit,
    round(newest.p_permutation, 3) as p,
    newest.n_owners as owners,
    newest.n_companies as companies,
    replace(newest.verdict, '_', ' ') as newest,
    story.estimate as story_estimate_90,
    replace(story.verdict, '_', ' ') as story_day
from shown as newest
left join shown as story on newest.question_number = story.question_number and story.as_of_kind = 'story'
where newest.as_of_kind = 'newest'
order by newest.question_number
