/*---
description: >
  Every definition of the link on every complete board: the statistic as a mean over draws, how often chance does as well, the effect corrected for what noise takes away,
  and what one company does to it. Draws of volume and of ratings both enter. Read the effect as the size and p as the test; the spread of the statistic over draws is neither.
grain: [board_id, captured_on, definition_id, measure, statistic]
nullable:
  - value
  - value_at_medians
  - p_permutation
  - p_method
  - n_permutations
  - min_possible_p
  - effect_p05
  - effect_p50
  - effect_p95
  - volume_reliability
  - rating_reliability
  - power_at_half
  - leave_one_out_low
  - leave_one_out_high
  - leave_one_out_driver
rows: {min: 100}
caveats:
  - Boards share models and days share boards; rows are not independent evidence, and their p-values are not to be multiplied or counted.
  - Among platform owners there are five to seven companies; no test among them can show anything, and power_at_half says so.
  - value is a mean over draws and value_at_medians is not. Companies without a platform differ by little but chance, so that medians put them in an order which draws take back; the two can be 0.15 apart.
  - The effect of a rank statistic is a corrected rank correlation, also where the statistic is Kendall's; that of a difference is in rating points; that of auc is a chance, and one half is no difference.
  - citation_ids is the union over the board's companies; marts.company_moat has each company's on the same board_id and captured_on.
---*/

select
    a.board_id,
    a.captured_on,
    a.definition_id,
    a.measure,
    a.statistic,
    a.is_headline,
    b.board_role,
    a.n_companies,
    a.n_with_platform,
    a.value,
    a.p_permutation,
    a.p_method,
    a.n_permutations,
    a.min_possible_p,
    a.effect_p05,
    a.effect_p50,
    a.effect_p95,
    a.volume_reliability,
    a.rating_reliability,
    a.power_at_half,
    a.leave_one_out_low,
    a.leave_one_out_high,
    a.leave_one_out_driver,
    a.value_at_medians,
    a.link_reason,
    e.citation_ids,
    e.assumption_ids
from intermediate.int_moat__association as a
inner join intermediate.int_moat__board as b on a.board_id = b.board_id
inner join intermediate.int_moat__evidence as e on a.board_id = e.board_id and a.captured_on = e.captured_on
order by a.board_id asc, a.captured_on asc, a.is_headline desc, a.definition_id asc
