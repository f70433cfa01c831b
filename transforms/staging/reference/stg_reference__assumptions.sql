/*---
description: Numbers we chose, each with a range and a reason.
grain: [assumption_id]
---*/

select
    assumption_id,
    name,
    description,
    applies_to,
    distribution,
    p05,
    p50,
    p95,
    unit,
    reason,
    basis as assumption_basis,
    case when citation_ids is null then []::varchar[] else string_split(citation_ids, ';') end as citation_ids
from raw.reference__assumptions
