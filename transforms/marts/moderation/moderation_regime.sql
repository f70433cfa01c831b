/*---
description: >
  Stretches of one level in the daily number of decisions of moderation. A shift is a change of the 14-day median by a
  factor of 1.9 or more; shift_cause is a declared event within a week, first, or unexplained.
grain: [platform_id, regime_id]
nullable: [level_factor]
rows: {min: 1}
caveats:
  - A decision is not an upload. A shift is a change in what is reported, often by one platform, not in what is filmed.
---*/

select
    platform_id,
    regime_id,
    moderation_basis,
    begins_on,
    ends_on,
    daily_level,
    level_factor,
    shift_cause
from intermediate.int_moderation__regime
order by platform_id, regime_id
