/*---
description: >
  Mean length, share of photos and share of AI-labelled posts by month, of each set of posts that a user added: as they
  are (_raw), and weighted by views to the near-census of 2024-04-10, with an interval over choices of weighting.
grain: [platform_id, posted_month, set_id]
nullable: [licence, mean_seconds_raw, mean_seconds, mean_seconds_p05, mean_seconds_p95, photo_share_raw, photo_share, photo_share_p05, photo_share_p95, ai_labelled_share_raw, ai_labelled_share, ai_labelled_share_p05, ai_labelled_share_p95]
caveats:
  - Empty until a user adds a set. A set cannot give uploads per day.
  - Weights take coverage given views from one day of April 2024 and assume it of every month.
  - The licence is what the person who added the set stated; it governs what may be done with these rows.
---*/

select
    platform_id,
    posted_month,
    set_id,
    licence,
    n_posts,
    mean_seconds_raw,
    mean_seconds,
    mean_seconds_p05,
    mean_seconds_p95,
    photo_share_raw,
    photo_share,
    photo_share_p05,
    photo_share_p95,
    ai_labelled_share_raw,
    ai_labelled_share,
    ai_labelled_share_p05,
    ai_labelled_share_p95
from intermediate.int_post__length
order by platform_id, posted_month, set_id
