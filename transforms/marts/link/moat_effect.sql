/*---
description: >
  Every specification of the mixed model: the primary one of each question over all four boards, each board alone, and variants that change one thing. Estimates combine draws of volume by Rubin's rules;
  within_se is that of one draw, between_sd the spread over draws.
grain: [as_of_kind, as_of_on, board_id, specification_id]
nullable: [p_permutation, min_possible_p]
rows: {min: 10}
caveats:
  - Only the primary specification of a question enters its verdict; the others show what the estimate depends on.
  - owning_video_minus_controls is how much further ahead owners are on video boards than on boards where video cannot help, from one fit with an interaction.
  - On one board a model has one entry, so that model_sd and residual_sd cannot be told apart there.
---*/

select
    as_of_kind,
    as_of_on,
    board_id,
    specification_id,
    question_id,
    estimate,
    estimate_p05,
    estimate_p95,
    within_se,
    between_sd,
    monte_carlo_se,
    n_draws_equal,
    degrees_of_freedom,
    p_permutation,
    min_possible_p,
    company_sd,
    model_sd,
    residual_sd,
    n_companies,
    n_owners,
    n_models,
    captures,
    citation_ids,
    assumption_ids
from intermediate.int_moat__effect
order by as_of_kind, as_of_on, board_id, specification_id
