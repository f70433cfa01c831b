/*---
description: Each verdict follows from the rule of decision 0060, computed again from the numbers in the same row and in moat_robustness.
severity: critical
---*/
with differing as (
    select
        answers.as_of_kind,
        answers.as_of_on,
        answers.question_id,
        answers.verdict,
        case
            when answers.estimate is null then 'cannot_tell'
            when
                answers.verdict_reason = 'vanishes_with_size'
                and coalesce(answers.estimate < answers.estimate_without_size / 3, answers.question_id = 'prediction')
                then 'not_supported'
            when answers.estimate_p05 > 0 and answers.p_permutation < 0.05 then 'supported'
            when answers.estimate_p95 < answers.smallest_effect then 'not_supported'
            else 'cannot_tell'
        end as verdict_alone,
        count(perturbed.perturbation) as n_rows,
        count(perturbed.perturbation) filter (
            where perturbed.verdict <> answers.verdict
            or answers.verdict = 'supported'
            and not coalesce(perturbed.estimate_p05 > 0 and perturbed.p_permutation < 0.05, false)
        ) as n_other
    from marts.moat_answer as answers
    left join marts.moat_robustness as perturbed
        on
            answers.as_of_kind = perturbed.as_of_kind
            and answers.as_of_on = perturbed.as_of_on
            and answers.question_id = perturbed.question_id
    group by all
)

select
    as_of_kind,
    as_of_on,
    question_id,
    verdict,
    verdict_alone,
    n_rows,
    n_other
from differing
where
    verdict <> 'cannot_tell'
    and (verdict <> verdict_alone or n_other > 0 or n_rows = 0 and question_id <> 'dose')
