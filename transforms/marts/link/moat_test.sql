/*---
description: >
  The headline in one row a board and day: does usable video go with rank, how strongly after correction for noise, what is left after release date and open weights,
  how likely a real link would have been seen, and the verdict by the rule that was fixed in advance (docs/decisions/0010).
grain: [board_id, captured_on]
nullable:
  - spearman
  - p_permutation
  - p_method
  - n_permutations
  - min_possible_p
  - effect_p05
  - effect_p50
  - effect_p95
  - partial_spearman
  - p_partial
  - auc_platform
  - volume_reliability
  - rating_reliability
  - power_at_half
  - leave_one_out_low
  - leave_one_out_high
  - leave_one_out_driver
  - worst_p_without_one
  - worst_without_company_id
  - rho_measurement_only_p05
  - rho_measurement_only_p50
  - rho_measurement_only_p95
rows: {min: 10}
caveats:
  - cannot_tell is an answer. With about 20 companies it is the expected one even for a true correlation of 0.5.
  - Days are not independent and boards share models. One verdict over boards, by the quarter, is in moat_answer.
  - "citation_ids is the union over the row's companies. Two steps take it apart: from marts.company_moat where board_id, captured_on are the row's and scenario_id = 'baseline' has the figures and citation_ids of each company; unnest(citation_ids) joined to meta.citations on citation_id has each page, and marts.platform_observation on citation_id what was read there."
  - rho_measurement_only is the spread of the correlation over draws; noise shrinks it, and it is neither test nor effect.
---*/

select
    v.board_id,
    v.captured_on,
    b.board_role,
    v.n_companies,
    v.n_with_platform,
    v.spearman,
    v.p_permutation,
    v.p_method,
    v.n_permutations,
    v.min_possible_p,
    v.effect_p05,
    v.effect_p50,
    v.effect_p95,
    v.partial_spearman,
    v.p_partial,
    v.auc_platform,
    v.power_at_half,
    v.volume_reliability,
    v.rating_reliability,
    v.leave_one_out_low,
    v.leave_one_out_high,
    v.leave_one_out_driver,
    v.worst_p_without_one,
    v.worst_without_company_id,
    v.verdict,
    v.verdict_reason,
    v.verdict_text,
    v.what_would_change_it,
    v.rho_measurement_only_p05,
    v.rho_measurement_only_p50,
    v.rho_measurement_only_p95,
    e.citation_ids,
    e.assumption_ids
from intermediate.int_moat__verdict as v
inner join intermediate.int_moat__board as b on v.board_id = b.board_id
inner join intermediate.int_moat__evidence as e on v.board_id = e.board_id and v.captured_on = e.captured_on
order by v.board_id, v.captured_on
