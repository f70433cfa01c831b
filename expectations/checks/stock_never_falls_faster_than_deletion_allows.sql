/*---
description: >
  From one month to the next cumulative public hours lose at most a tenth, in every draw: more than a hazard of one a year takes.
severity: critical
---*/

select
    later.platform_id,
    later.month,
    later.draw
from marts.platform_volume_draws as later
inner join marts.platform_volume_draws as earlier
    on
        later.platform_id = earlier.platform_id
        and later.draw = earlier.draw
        and later.month = earlier.month + interval 1 month
where later.draw <= 200 and later.stock_hours < earlier.stock_hours * 0.9
