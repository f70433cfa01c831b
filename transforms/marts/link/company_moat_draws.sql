/*---
description: >
  The draws of hours behind the questions amount and short: for each company that owns a platform, in each month in which a model of it that is ranked on some complete capture was released. The same draw
  number is the same joint draw for every company.
grain: [company_id, month, draw]
rows: {min: 10000}
caveats:
  - Companies without a platform have no volume of their own; what they reach is the public web, the same for all.
---*/

with released as (
    select distinct
        company_id,
        volume_month as month
    from intermediate.int_moat__entry
)

select
    draws.company_id,
    draws.month,
    draws.draw,
    draws.available_hours,
    draws.usable_hours,
    draws.short_usable_hours
from intermediate.int_company__volume_draws as draws
inner join released on draws.company_id = released.company_id and draws.month = released.month
where draws.usable_first_party_hours is not null
order by draws.company_id, draws.month, draws.draw
