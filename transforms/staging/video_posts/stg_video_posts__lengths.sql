/*---
description: Posts of each set by month, cell of the census day and bucket of views, with sums of length; no cell under ten posts.
grain: [set_id, posted_month, census_cell, view_bucket]
nullable: [licence]
caveats:
  - Only counts are stored; a cell with fewer than ten posts is left out.
---*/

select
    _label as set_id,
    posted_month,
    census_cell,
    view_bucket,
    max(_licence) as licence,
    max(_captured_on) as captured_on,
    sum(n_posts)::bigint as n_posts,
    sum(n_videos)::bigint as n_videos,
    sum(n_ai_labelled)::bigint as n_ai_labelled,
    sum(sum_ms)::bigint as sum_ms,
    sum(sum_square_ds)::bigint as sum_square_ds
from raw.video_posts__counts
group by all
