/*---
description: The claims under test, each with the query that decides it.
grain: [claim_id]
rows: {min: 20}
---*/

select
    claims.claim_id,
    claims.claim_text,
    claims.origin as claim_origin,
    claims.how_decided,
    queries.sql
from raw.reference__claims as claims
inner join raw.reference__claim_queries as queries on claims.claim_id = queries.claim_id
