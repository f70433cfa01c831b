/*---
description: >
  An UNVERIFIED observation enters no estimate, alone or in a pair.
severity: critical
---*/

select o.fact_id
from marts.platform_observation as o
where o.is_used and o.verification = 'UNVERIFIED'
