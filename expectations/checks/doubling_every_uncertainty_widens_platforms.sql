/*---
description: >
  In the scenario wide, intervals of the last month are wider than in the baseline on every platform.
severity: critical
---*/

select w.platform_id
from marts.platform_volume as w
inner join marts.platform_volume as b on w.platform_id = b.platform_id and w.month = b.month
where
    w.scenario_id = 'wide'
    and b.scenario_id = 'baseline'
    and w.month = (select max(x.month) from marts.platform_volume as x)
    and w.stock_hours_p95 / w.stock_hours_p05 < b.stock_hours_p95 / b.stock_hours_p05
