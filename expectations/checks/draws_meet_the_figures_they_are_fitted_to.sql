/*---
description: >
  What the draws read exactly lies within a tenth of a figure's noise of what they were conditioned on.
severity: critical
---*/

select
    f.fact_id,
    f.reading_error
from intermediate.int_platform__observation_fit as f
where f.reading_error > 0.1
