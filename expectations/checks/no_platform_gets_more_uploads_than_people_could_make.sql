/*---
description: >
  No row's upper end has more than ten videos a day from every person alive, nor cumulative hours above a thousand a person where something was measured.
severity: critical
---*/

with l as (
    select
        max(p50) filter (where name = 'limit_users')
        * max(p50) filter (where name = 'limit_uploads_per_user_per_day') as most_uploads,
        max(p50) filter (where name = 'limit_stock_hours') as most_hours
    from meta.assumptions
)

select
    v.platform_id,
    v.month,
    v.scenario_id
from marts.platform_volume as v
cross join l
where
    (v.scenario_id != 'wide' and v.uploads_per_day_p95 > l.most_uploads)
    or (v.scenario_id = 'baseline' and v.basis != 'prior_only' and v.stock_hours_p95 > l.most_hours)
