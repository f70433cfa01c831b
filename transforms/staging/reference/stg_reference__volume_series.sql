/*---
description: Which platforms get an estimate of their own, which count in a company's total, and why.
grain: [platform_id]
nullable: [assumed_launch_on, share_assumption_id, duration_assumption_id]
rows: {min: 20}
---*/

select
    platform_id,
    is_modelled,
    is_in_totals,
    assumed_launch_on,
    share_assumption_id,
    duration_assumption_id,
    reason
from raw.reference__volume_series
