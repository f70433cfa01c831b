/*---
description: An amount divided by its rate is the amount in US dollars, and a currency has about one rate.
fix: write the rate as units of the currency for one US dollar, and divide by it.
---*/

with rates as (
    select
        currency,
        median(usd_rate) as usual_rate
    from company_resources
    group by currency
)

select
    'company_resources' as file_name,
    resources.line,
    'value ' || resources.value::decimal(18, 0) || ' ' || resources.currency || ' at ' || resources.usd_rate || ' is '
    || (resources.value / resources.usd_rate)::decimal(18, 0) || ' USD, not ' || resources.value_usd::decimal(18, 0)
    || '; right would be ' || case
        when resources.currency = 'USD' and resources.usd_rate <> 1 then 'rate 1'
        when resources.currency <> 'USD' and resources.usd_rate = 1 then 'a rate near ' || rates.usual_rate
        when abs(ln(resources.usd_rate / rates.usual_rate)) > ln(2)
            then 'a rate near ' || rates.usual_rate
        else 'value divided by usd_rate'
    end as wrong
from company_resources as resources
inner join rates on resources.currency = rates.currency
where
    abs(resources.value_usd - resources.value / resources.usd_rate) > 0.5 + 1e-4 * resources.value_usd
    or (resources.currency = 'USD') <> (resources.usd_rate = 1)
    or abs(ln(resources.usd_rate / rates.usual_rate)) > ln(2)
