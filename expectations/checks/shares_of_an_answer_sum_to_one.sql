/*---
description: >
  The inputs of every company and measure, with their interactions, carry the whole variance.
severity: critical
---*/

select
    company_id,
    measure,
    sum(variance_share::decimal(18, 12)) as total
from marts.input_importance
group by company_id, measure
having abs(sum(variance_share::decimal(18, 12)) - 1) > 1e-9
