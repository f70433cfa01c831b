/*---
description: >
  Predictive distributions of ratings. Retrospective rows forecast each entry of the newest captures from models released before it; the others forecast the next entry of every company on each board,
  from captures up to captured_until. A release freezes them by its checksum, and data/forecasts by its commit.
grain: [board_id, entry_key, company_id, forecast_model]
nullable: [model_id, rating, rating_se, pit, log_score, crps, leads_probability]
rows: {min: 100}
caveats:
  - Retrospective ratings are those of the newest capture, not of the day after release; sizes are those of the time of release, public then or not. Only the others can be of what nobody had seen.
  - A row that is not retrospective is a forecast only of models listed after the day of the release that first contains it, not after captured_until; models listed between the two days were there to see.
  - It is for a model released on captured_until that is like the company's last one in openness, sound, speed tier and resolution.
---*/

select
    board_id,
    entry_key,
    company_id,
    model_id,
    forecast_model,
    released_on,
    captured_until,
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
