/*---
description: Video this company can reach, in million hours, newest month (90 % interval)
---*/
with newest as (
    select *
    from marts.company_volume
    where company_id = getvariable('company_id') and scenario_id = 'baseline'
    qualify row_number() over (order by month desc) = 1
)

select
    quantity,
    month,
    round(p05 / 1e6, 2) as million_hours_p05,
    round(p50 / 1e6, 2) as million_hours_p50,
    round(p95 / 1e6, 2) as million_hours_p95,
    basis
from (
    select
        1 as number,
        'uploaded to its platforms per day' as quantity,
        month,
        first_party_hours_per_day_p05 as p05,
        first_party_hours_per_day_p50 as p50,
        first_party_hours_per_day_p95 as p95,
        basis
    from newest
    union all
    select
        2 as number,
        'public on its platforms' as quantity,
        month,
        first_party_stock_hours_p05 as p05,
        first_party_stock_hours_p50 as p50,
        first_party_stock_hours_p95 as p95,
        basis
    from newest
    union all
    select
        3 as number,
        'available from all sources' as quantity,
        month,
        available_hours_p05 as p05,
        available_hours_p50 as p50,
        available_hours_p95 as p95,
        basis
    from newest
    union all
    select
        4 as number,
        'after filtering' as quantity,
        month,
        usable_hours_p05 as p05,
        usable_hours_p50 as p50,
        usable_hours_p95 as p95,
        basis
    from newest
) as quantities
order by number
