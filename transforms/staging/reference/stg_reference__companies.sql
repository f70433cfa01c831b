/*---
description: Companies that own platforms or labs.
grain: [company_id]
nullable: [country, citation_id, note]
---*/

select
    company_id,
    name,
    country,
    kind,
    verification,
    citation_id,
    note
from raw.reference__companies
