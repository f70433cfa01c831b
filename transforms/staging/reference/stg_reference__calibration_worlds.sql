/*---
description: >
  How often the intervals of the volume model held the truth in made worlds, by kind of world; written by `make calibrate`.
grain: [world_kind, quantity]
rows: {min: 1}
---*/

select
    world_kind,
    quantity,
    n_worlds,
    n_truths,
    covered_50_share,
    covered_90_share,
    rmse,
    mean_sd,
    log_score,
    first_seed,
    code_sha256
from raw.reference__calibration_worlds
