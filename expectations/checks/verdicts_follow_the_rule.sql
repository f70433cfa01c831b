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
                and coalesce(
                    answers.estimate < answers.estimate_without_size / 3
                    and sized.estimate_p05 > 0
                    and sized.p_permutation < 0.05,
                    answers.question_id = 'prediction' and answers.estimate_p05 > 0 and answers.p_permutation < 0.05
                )
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
        ) as n_other,
        count(perturbed.perturbation) filter (where perturbed.verdict <> verdict_alone) as n_differing
    from marts.moat_answer as answers
    left join marts.moat_effect as sized
        on
            answers.as_of_kind = sized.as_of_kind
            and answers.as_of_on = sized.as_of_on
            and answers.question_id = 'size'
            and sized.board_id = 'all'
            and sized.specification_id = 'owning_where_size_is_known'
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
    or verdict = 'cannot_tell'
    and verdict_alone <> 'cannot_tell'
    and n_differing = 0
