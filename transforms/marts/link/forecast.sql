/*---
description: >
  Predictive distributions of ratings. Retrospective rows forecast each entry of the newest captures from models released before it; issued rows forecast the next entry of every company on each board,
  made on issued_on and covered by the checksums of the release, before the model is listed.
grain: [board_id, entry_key, company_id, forecast_model]
nullable: [model_id, rating, rating_se, pit, log_score, crps, leads_probability]
rows: {min: 100}
caveats:
  - Retrospective ratings are those of the newest capture, not of the day after release; only issued rows are forecasts of what nobody had seen.
  - An issued row is for a model released on issued_on that is like the company's last one in openness, sound, speed tier and resolution.
---*/

select
    board_id,
    entry_key,
    company_id,
    model_id,
    forecast_model,
    released_on,
    issued_on,
    is_retrospective,
    forecast_mean,
    forecast_scale,
    degrees_of_freedom,
    forecast_p05,
    forecast_p25,
    forecast_p50,
    forecast_p75,
    forecast_p95,
    leads_probability,
    rating,
    rating_se,
    pit,
    log_score,
    crps,
    citation_ids
from intermediate.int_moat__forecast
order by board_id, entry_key, company_id, forecast_model
