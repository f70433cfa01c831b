/*---
description: What a person decided about one observation that no rule could tell.
grain: [fact_id]
---*/

select
    fact_id,
    ruling,
    reason
from raw.reference__observation_rulings
