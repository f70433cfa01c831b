/*---
description: >
  The forecasts of marts.forecast as quantiles in the layout of hubverse model output, for its tools (hubEvals, scoringutils): forecast_model is the model, board_id, entry_key and captured_until are the
  task, the one target is the rating. Observed values are in forecast_oracle.
grain: [forecast_model, board_id, entry_key, captured_until, output_type_id]
rows: {min: 100}
caveats:
  - hubUtils reads it with as_model_out_tbl(model_id_col = "forecast_model"); model_id is a video model here.
---*/

with levels as (select unnest([5, 25, 50, 75, 95]) as percent)

select
    forecasts.forecast_model,
    forecasts.board_id,
    forecasts.entry_key,
    forecasts.captured_until,
    'quantile' as output_type,
    levels.percent / 100 as output_type_id,
    case levels.percent
        when 5 then forecasts.forecast_p05
        when 25 then forecasts.forecast_p25
        when 50 then forecasts.forecast_p50
        when 75 then forecasts.forecast_p75
        else forecasts.forecast_p95
    end as value
from intermediate.int_moat__forecast as forecasts
cross join levels
order by
    forecasts.forecast_model, forecasts.board_id, forecasts.entry_key, forecasts.captured_until, levels.percent
