/*---
description: >
  The assumptions the fit depends on, by name. The rest (access, near-duplicates, retention rates) act on the draws afterwards, so that
  changing one of those does not fit again.
grain: [assumption_id]
---*/

select
    assumption_id,
    name as assumption_name,
    distribution,
    p05,
    p50,
    p95
from staging.stg_reference__assumptions
where
    name like 'prior\_%' escape '\'
    or name like 'obs\_%' escape '\'
    or name in (
        'early_loss_share', 'late_loss_hazard', 'wide_factor', 'reels_share_instagram_uploads', 'dur_mean_reels'
    )
