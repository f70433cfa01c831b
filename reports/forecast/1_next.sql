/*---
description: Forecasts of the next entry of every company on each board, from captures up to captured_until and frozen by the release, by the kind of knowledge that predicted best so far
---*/

select
    board_id,
    company_id,
    forecast_model as knowing,
    captured_until,
    round(forecast_p05)::integer as rating_p05,
    round(forecast_p50)::integer as rating_p50,
    round(forecast_p95)::integer as rating_p95,
    round(leads_probability, 2) as chance_to_lead
from marts.forecast
where not is_retrospective and forecast_model = (
        select forecast_model from marts.forecast_score
        where as_of_kind = 'newest'
        order by quarter_on desc, log_score desc, forecast_model asc
        limit 1
    )
order by board_id asc, leads_probability desc, company_id asc
