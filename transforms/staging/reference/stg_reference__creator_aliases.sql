/*---
description: Which laboratory or company a source's maker name means, as decided by a person.
grain: [source_id, creator_name, valid_from]
nullable: [valid_to, lab_id, company_id]
caveats:
  - Artificial Analysis's "Open Source" is a row without an organisation, because it is none.
---*/

select
    source_id,
    creator_name,
    valid_from,
    valid_to,
    lab_id,
    company_id,
    evidence,
    citation_id
from raw.reference__creator_aliases
