/*---
description: How each source is - when it was last fetched, last responded with something usable, and last changed.
grain: [source_id]
nullable: [last_attempt_at, last_success_at, last_change_on, expected_every]
caveats:
  - Late is measured against the newest input of the build, not against a clock; `datamoat status` measures against today.
rows: {min: 1}
---*/

select
    source_id,
    last_attempt_at,
    last_success_at,
    last_change_on,
    expected_every,
    freshness_status as status,
    freshness_reason as reason
from intermediate.int_source__freshness
order by source_id
