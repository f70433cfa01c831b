/*---
description: How past forecasts were calibrated; share of 90 % and 50 % intervals that held the rating, and past ratings by tenth of their forecast, lowest to highest (a tenth each where calibrated)
---*/

with tenths as (
    select
        forecast_model,
        rating between forecast_p05 and forecast_p95 as is_in_90,
        rating between forecast_p25 and forecast_p75 as is_in_50,
        least(floor(10 * pit)::integer, 9) as tenth
    from marts.forecast
    where is_retrospective
),

counted as (
    select
        forecast_model,
        tenth,
        count(*) as n
    from tenths
    group by forecast_model, tenth
),

every as (
    select
        models.forecast_model,
        coalesce(counted.n, 0) as n,
        range as tenth
    from (select distinct forecast_model from tenths) as models
    cross join range(10)
    left join counted on models.forecast_model = counted.forecast_model and range = counted.tenth
),

lines as (
    select
        forecast_model,
        string_agg(n::varchar, ' ' order by tenth) as by_tenth
    from every
    group by forecast_model
)

select
    tenths.forecast_model as knowing,
    count(*) as forecasts,
    round(avg(is_in_90::integer), 2) as in_90,
    round(avg(is_in_50::integer), 2) as in_50,
    any_value(lines.by_tenth) as ratings_by_tenth
from tenths
inner join lines on tenths.forecast_model = lines.forecast_model
group by tenths.forecast_model
order by in_90 desc, knowing asc
