/*---
description: >
  The exact value that the draws give an observation is within a tenth of its noise of what they were conditioned on.
severity: critical
---*/

select
    f.fact_id,
    f.observation_error
from intermediate.int_platform__observation_fit as f
where f.observation_error > 0.1
