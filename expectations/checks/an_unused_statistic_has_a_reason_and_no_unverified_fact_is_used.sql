/*---
description: A statistic that the volume model does not use has a reason, one that it uses has none, and no unverified fact is used.
severity: critical
---*/

select
    fact_id,
    is_used,
    unused_reason,
    verification
from marts.platform_observation
where
    is_used = (unused_reason is not null)
    or (is_used and verification = 'UNVERIFIED')
