/*---
description: Every claim of the register has at least one row in claim_check; a query that yields nothing decides nothing.
severity: critical
---*/
select claims.claim_id
from staging.stg_reference__claims as claims
anti join marts.claim_check as decided on claims.claim_id = decided.claim_id
order by claims.claim_id
