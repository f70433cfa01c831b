/*---
description: >
  How often the intervals of the volume model covered the truth in simulated data sets, by kind of simulation; written by `make calibrate`.
grain: [simulation_kind, quantity]
rows: {min: 1}
---*/

select
    simulation_kind,
    quantity,
    n_simulations,
    n_truths,
    covered_50_share,
    covered_90_share,
    rmse,
    mean_sd,
    log_score,
    first_seed,
    code_sha256
from raw.reference__calibration_simulations
