/*---
description: What helped to predict models in the order of their release; gains in log score per forecast with 90 % intervals
---*/

select
    forecast_model as knowing,
    n_forecasts as forecasts,
    round(log_score, 2) as log_score,
    round(crps)::integer as crps_points,
    round(gain_over_date, 2) as gain_over_date,
    round(gain_over_date_p05, 2) as p05,
    round(gain_over_date_p95, 2) as p95,
    round(gain_over_size, 2) as gain_over_size
from marts.forecast_score
where as_of_kind = 'newest'
qualify quarter_on = max(quarter_on) over ()
order by log_score desc
