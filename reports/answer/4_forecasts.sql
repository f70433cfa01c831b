/*---
description: Forecasts of the next entry on each board, from captures up to captured_until and frozen by the release; the chance that it is rated above every entry listed on that day
---*/

select
    board_id,
    company_id,
    forecast_model as knowing,
    round(forecast_p50)::integer as rating,
    round(forecast_p05)::integer || ' to ' || round(forecast_p95)::integer as interval_90,
    round(100 * leads_probability)::integer as leads_percent,
    captured_until
from marts.forecast
where not is_retrospective and forecast_model = (
        select forecast_model from marts.forecast_score
        where as_of_kind = 'newest'
        order by quarter_on desc, log_score desc, forecast_model asc
        limit 1
    )
qualify row_number() over (partition by board_id order by leads_probability desc, company_id asc) <= 3
order by board_id asc, leads_percent desc, company_id asc
