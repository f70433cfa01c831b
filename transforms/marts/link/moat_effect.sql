/*---
description: >
  Every specification of the mixed model: the primary one of each question over all four boards, each board alone, and variants that change one thing. Draws of volume are combined by their likelihood
  (decision 0061), in the variants that count draws equally by Rubin's rules; within_se is the standard error in one draw, between_sd the spread over draws.
grain: [as_of_kind, as_of_on, board_id, specification_id]
nullable: [p_permutation, min_possible_p]
rows: {min: 10}
caveats:
  - Only the primary specification of a question enters its verdict; the others show what the estimate depends on.
  - owning_video_minus_controls is how much further ahead owners are on video boards than on boards where video cannot help, from one fit with an interaction.
  - On one board a model has one entry, so that model_sd and residual_sds cannot be separated there.
---*/

with reasons as (
    select
        as_of_kind,
        as_of_on,
        captures,
        citation_ids,
        assumption_ids
    from intermediate.int_moat__statement
    where question_id = 'owning'
)

select
    effects.as_of_kind,
    effects.as_of_on,
    effects.board_id,
    effects.specification_id,
    effects.question_id,
    effects.estimate,
    effects.estimate_p05,
    effects.estimate_p95,
    effects.interval_text,
    effects.within_se,
    effects.between_sd,
    effects.monte_carlo_se,
    effects.n_draws_equal,
    effects.degrees_of_freedom,
    effects.p_permutation,
    effects.min_possible_p,
    effects.company_sd,
    effects.model_sd,
    effects.residual_sds,
    effects.n_companies,
    effects.n_owners,
    effects.n_models,
    reasons.captures,
    reasons.citation_ids,
    reasons.assumption_ids
from intermediate.int_moat__effect as effects
inner join reasons on effects.as_of_kind = reasons.as_of_kind and effects.as_of_on = reasons.as_of_on
order by effects.as_of_kind, effects.as_of_on, effects.board_id, effects.specification_id
