/*---
description: >
  Hours uploaded are uploads times mean length in every draw, to single precision.
severity: critical
---*/

select
    platform_id,
    month,
    draw,
    upload_hours_per_day
from marts.platform_volume_draws
where
    abs(upload_hours_per_day - uploads_per_day::double * mean_duration_seconds::double / 3600)
    > 1e-6 * upload_hours_per_day
