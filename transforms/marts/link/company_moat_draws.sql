/*---
description: >
  The draws of volume that the link is tested on: for each company, in each month in which a model that stands for it on some complete board was released. The same draw number
  is the same world for every company, so that ranks and correlations can be worked out again draw by draw.
grain: [company_id, month, draw]
rows: {min: 10000}
caveats:
  - Ratings are drawn too in the published tests; where neighbours are a few points apart that moves a correlation by up to 0.04.
---*/

with standing as (
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
inner join standing on draws.company_id = standing.company_id and draws.month = standing.month
order by draws.company_id, draws.month, draws.draw
