/*---
description: How much of the near-census of 2024-04-10 each set of posts holds, by views, with a Clopper-Pearson interval of 90 %.
grain: [set_id, view_bucket]
nullable: [licence]
caveats:
  - Empty until a user adds a set and the census.
  - Views of a set and of the census were read on different days.
---*/

select
    set_id,
    view_bucket,
    licence,
    n_census,
    n_both,
    coverage,
    coverage_low,
    coverage_high
from intermediate.int_post__coverage
order by set_id, view_bucket
