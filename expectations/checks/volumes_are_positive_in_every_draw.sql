/*---
description: >
  Lengths, cumulative hours and hours after filtering are above zero in every draw, and uploads are not below it.
severity: critical
---*/

select
    platform_id,
    month,
    draw
from marts.platform_volume_draws
where not (uploads_per_day >= 0 and mean_duration_seconds > 0 and stock_videos > 0 and stock_hours > 0 and usable_hours > 0)
