/*---
description: Is volume associated with rank? The verdict of the newest quarters (datamoat answer gives the reasons)
---*/

select
    quarter_on as quarter,
    n_primary_boards as boards,
    n_supported as supported,
    n_not_supported as against,
    n_cannot_tell as cannot_tell,
    round(median_spearman, 2) as correlation,
    round(median_short_spearman, 2) as short_video_only,
    round(median_control_spearman, 2) as control_boards,
    verdict,
    verdict_reason as because
from marts.moat_answer
order by quarter_on desc
limit 3
