/*---
description: Declared changes of how many people use a platform, how much they post or how long their videos are.
grain: [event_id]
nullable: [citation_id]
rows: {min: 1}
---*/

select
    event_id,
    platform_id,
    process,
    starts_on,
    step_sd,
    slope_sd,
    title as event_title,
    reason,
    citation_id
from raw.reference__platform_events
