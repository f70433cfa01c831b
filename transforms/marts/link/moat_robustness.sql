/*---
description: >
  The primary specification of each question with one thing changed: without a company or a board, with another reach, another kind of platform, another measure of size, other draws. A verdict of
  moat_answer other than cannot_tell is the same in every row.
grain: [as_of_kind, as_of_on, question_id, perturbation]
nullable: [estimate, estimate_p05, estimate_p95, p_permutation]
rows: {min: 10}
caveats:
  - A quarter in which the primary specification of a question has no verdict has few rows or none, unless its captures are the newest ones; a perturbation cannot make a verdict where there is none.
  - p_permutation may be empty where the interval includes zero, because p could not change the verdict.
  - Leaving out a company or a board from prediction leaves out its forecasts; those of others are made as before.
  - An empty estimate means that too few companies or owners are left to ask.
---*/

select
    as_of_kind,
    as_of_on,
    question_id,
    perturbation,
    estimate,
    estimate_p05,
    estimate_p95,
    p_permutation,
    verdict
from (
    select
        as_of_kind,
        as_of_on,
        question_id,
        perturbation,
        estimate,
        estimate_p05,
        estimate_p95,
        p_permutation,
        verdict
    from intermediate.int_moat__perturbed
    union all
    select
        as_of_kind,
        as_of_on,
        'prediction' as question_id,
        perturbation,
        estimate,
        estimate_p05,
        estimate_p95,
        p_permutation,
        verdict
    from intermediate.int_moat__predicted_perturbed
) as perturbed
order by as_of_kind, as_of_on, question_id, perturbation
