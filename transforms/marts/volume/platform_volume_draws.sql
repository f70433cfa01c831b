/*---
description: >
  Posterior draws of every platform's volume in the baseline. The same draw number is the same joint draw for every platform and
  month, so that sums, shares and comparisons of draws keep what the platforms have in common.
grain: [platform_id, month, draw]
rows: {min: 100000}
cache: true
caveats:
  - These are all draws; every percentile of platform_volume in the baseline is one of theirs.
  - Months before 2020 have quantiles in platform_volume only.
---*/

select
    platform_id,
    month,
    draw,
    uploads_per_day,
    mean_duration_seconds,
    upload_hours_per_day,
    stock_videos,
    stock_hours,
    usable_hours
from intermediate.int_platform__volume_draws
order by platform_id, month, draw
