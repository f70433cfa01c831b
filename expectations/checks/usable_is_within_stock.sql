/*---
description: >
  No draw has more hours after filtering than cumulative public hours.
severity: critical
---*/

select
    platform_id,
    month,
    draw
from marts.platform_volume_draws
where usable_hours > stock_hours
