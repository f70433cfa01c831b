/*---
description: >
  No statistic used is more than four standard deviations from its prediction by all others; one that is goes to a curator.
severity: warning
---*/

select
    f.fact_id,
    f.left_out_z
from intermediate.int_platform__observation_fit as f
where abs(f.left_out_z) > 4
