/*---
description: What counts as enough for a verdict, fixed before any number was looked at (decision 0010).
grain: [threshold_id]
rows: {min: 1}
---*/

select
    threshold_id,
    value as threshold_value,
    unit as threshold_unit,
    means as threshold_means,
    reason as threshold_reason
from raw.reference__moat_thresholds
