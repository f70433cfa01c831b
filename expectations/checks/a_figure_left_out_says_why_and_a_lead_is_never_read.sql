/*---
description: A figure that the volume model does not read has a reason, one that it reads has none, and no lead is read.
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
