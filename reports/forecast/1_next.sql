/*---
description: Forecasts of the next entry of every company on each board, issued before it is listed, from all entries and the company's earlier models
---*/

select
    board_id,
    company_id,
    issued_on,
    round(forecast_p05)::integer as rating_p05,
    round(forecast_p50)::integer as rating_p50,
    round(forecast_p95)::integer as rating_p95,
    round(leads_probability, 2) as chance_to_lead
from marts.forecast
where not is_retrospective and forecast_model = 'company'
order by board_id asc, leads_probability desc, company_id asc
