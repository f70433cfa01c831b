/*---
description: >
  No draw has more usable hours than hours still public.
severity: critical
---*/

select
    platform_id,
    month,
    draw
from marts.platform_volume_draws
where usable_hours > stock_hours
