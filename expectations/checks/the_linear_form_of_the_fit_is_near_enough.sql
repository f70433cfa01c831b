/*---
description: >
  The linear form the fit is solved in errs by less than a third of a figure's noise.
severity: warning
---*/

select
    f.fact_id,
    f.linearisation_error
from intermediate.int_platform__observation_fit as f
where f.linearisation_error > 0.3
