/*---
description: >
  Two generations of one family whose makers disclosed their training video, on each primary board that lists both: how many doublings of data, the change of rating, and what the date trend and the
  controls alone would have changed.
grain: [pair_id, board_id, captured_on]
nullable: [change_per_doubling]
caveats:
  - Images are no video and make no pair here. Of several stages disclosed for both generations the first of pretraining, filtered, raw and fine-tuning counts.
  - Parameters, architecture and objective change in every pair too.
  - change_per_doubling is empty where the data changed by less than a tenth of a doubling; question dose leaves such a family out.
---*/

select
    pair_id,
    board_id,
    captured_on,
    family,
    model_id_from,
    model_id_to,
    quantity,
    stage_kind,
    dose_ratio,
    dose_ratio_bound,
    n_doublings,
    rating_from,
    rating_to,
    rating_change,
    expected_change,
    change_per_doubling,
    citation_ids
from intermediate.int_moat__dose
order by pair_id, board_id, captured_on
