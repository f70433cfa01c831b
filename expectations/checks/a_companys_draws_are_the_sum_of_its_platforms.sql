/*---
description: >
  A company's own uploads and cumulative public hours are the sum over its platforms, draw by draw, to one part in 10^9.
severity: critical
---*/

with shares as (
    select
        draw,
        assumption_value as american_share
    from marts.assumption_draws
    where assumption_name = 'tiktok_us_share'
),

summed as (
    select
        p.company_id,
        p.month,
        v.draw,
        sum(
            v.stock_hours::double
            * case p.owned_part
                when 'without_us' then 1 - s.american_share when 'us_only' then s.american_share else 1.0
            end
        ) as stock_hours,
        sum(
            v.upload_hours_per_day::double
            * case p.owned_part
                when 'without_us' then 1 - s.american_share when 'us_only' then s.american_share else 1.0
            end
        ) as hours_per_day
    from marts.company_platform as p
    inner join marts.platform_volume_draws as v on p.platform_id = v.platform_id and p.month = v.month
    inner join shares as s on v.draw = s.draw
    where p.is_in_totals and v.draw <= 100
    group by p.company_id, p.month, v.draw
)

select
    c.company_id,
    c.month,
    c.draw,
    c.first_party_stock_hours,
    s.stock_hours
from intermediate.int_company__volume_draws as c
left join summed as s on c.company_id = s.company_id and c.month = s.month and c.draw = s.draw
where
    c.draw <= 100
    and (
        (c.first_party_stock_hours is null) != (s.stock_hours is null)
        or abs(c.first_party_stock_hours - s.stock_hours) > 1e-9 * s.stock_hours
        or abs(c.first_party_hours_per_day - s.hours_per_day) > 1e-9 * s.hours_per_day
    )
