/*---
description: What helped to predict models in the order of their release; gains in log score per forecast with 90 % intervals
---*/

select
    forecast_model as knowing,
    n_forecasts as forecasts,
    round(log_score, 2) as log_score,
    marts.two_digits(crps) as crps_points,
    marts.two_digits(gain_over_date) as gain_over_date,
    marts.two_digits(gain_over_date_p05) as p05,
    marts.two_digits(gain_over_date_p95) as p95,
    marts.two_digits(gain_over_size) as gain_over_size
from marts.forecast_score
where as_of_kind = 'newest'
qualify quarter_on = max(quarter_on) over ()
order by log_score desc
