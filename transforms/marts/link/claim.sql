/*---
description: >
  The claims under test: each claim of the press story, of its retellings and of ours, with the query that decides it. The verdicts by board and day
  are in claim_check.
grain: [claim_id]
rows: {min: 20}
---*/

select
    claims.claim_id,
    claims.claim_text,
    claims.claim_origin,
    claims.how_decided,
    claims.sql
from staging.stg_reference__claims as claims
order by claims.claim_id
