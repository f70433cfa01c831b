/*---
description: >
  No used figure lies more than four standard deviations from what all others say of it; one that does is for a curator.
severity: warning
---*/

select
    f.fact_id,
    f.left_out_z
from intermediate.int_platform__observation_fit as f
where abs(f.left_out_z) > 4
