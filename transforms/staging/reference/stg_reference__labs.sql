/*---
description: Labs that train video models, with the company each belongs to.
grain: [lab_id]
nullable: [country, founded_year, valid_from, valid_to, citation_id, note]
---*/

select
    lab_id,
    name,
    company_id,
    country,
    founded_year::integer as founded_year,
    valid_from,
    valid_to,
    verification,
    citation_id,
    note
from raw.reference__labs
