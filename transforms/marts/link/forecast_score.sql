/*---
description: >
  How well each kind of knowledge predicts: mean log score and CRPS of all retrospective forecasts of models released up to the end of a quarter, and the gain in log score over date and openness, over
  owning, and over size, with a 90 % interval from a bootstrap over companies.
grain: [as_of_kind, as_of_on, forecast_model, quarter_on]
rows: {min: 6}
caveats:
  - Forecasts of one model on four boards are not independent; the bootstrap draws companies.
---*/

select
    as_of_kind,
    as_of_on,
    forecast_model,
    quarter_on,
    n_forecasts,
    n_companies,
    log_score,
    crps,
    gain_over_date,
    gain_over_date_p05,
    gain_over_date_p95,
    gain_over_owning,
    gain_over_owning_p05,
    gain_over_owning_p95,
    gain_over_size,
    gain_over_size_p05,
    gain_over_size_p95
from intermediate.int_moat__forecast_score
order by as_of_kind, as_of_on, forecast_model, quarter_on
