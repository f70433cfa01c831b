/*---
description: Six questions, on the newest complete captures and on those nearest to the story of 2026-05-14
---*/

with worded as (
    select
        as_of_kind,
        question_number,
        question,
        unit,
        p_permutation,
        n_owners,
        n_companies,
        replace(verdict, '_', ' ') as verdict,
        coalesce(interval_text, 'too few') as interval_90
    from marts.moat_answer
)

select
    newest.question,
    newest.interval_90 as newest_estimate_90,
    newest.unit,
    round(newest.p_permutation, case when newest.p_permutation < 0.1 then 3 else 2 end) as p,
    newest.n_owners as owners,
    newest.n_companies as companies,
    newest.verdict as newest,
    story.interval_90 as story_estimate_90,
    story.verdict as story_day
from worded as newest
left join worded as story on newest.question_number = story.question_number and story.as_of_kind = 'story'
where newest.as_of_kind = 'newest'
order by newest.question_number
