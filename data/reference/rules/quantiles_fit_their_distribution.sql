/*---
description: The quantiles of an assumption are in order and inside what its distribution and unit can be.
fix: write p05, p50 and p95 in this order, in the unit of the row.
---*/

with assumed as (
    select
        *,
        least(p05, p50, p95) as lowest,
        greatest(p05, p50, p95) as highest
    from assumptions
)

select
    'assumptions' as file_name,
    line,
    'the quantiles ' || coalesce(p05::varchar, 'empty') || ', ' || coalesce(p50::varchar, 'empty') || ', '
    || coalesce(p95::varchar, 'empty') || ' are no ' || distribution || ' in ' || unit || '; right would be '
    || case
        when p05 > p50 or p50 > p95 then 'this order: low, middle, high'
        when distribution = 'fixed' then 'one value'
        when unit like 'fraction%' or distribution = 'beta' then 'values between 0 and 1'
        when lowest <= 0 then 'values above 0'
        else 'lengths of at most three hours'
    end as wrong
from assumed
where
    p05 > p50
    or p50 > p95
    or distribution = 'fixed' and lowest <> highest
    or distribution = 'lognormal' and lowest <= 0
    or (unit like 'fraction%' or distribution = 'beta') and (lowest < 0 or highest > 1)
    or unit = 'seconds' and starts_with(name, 'dur_') and highest > 3 * 3600
