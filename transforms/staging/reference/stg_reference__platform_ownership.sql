/*---
description: Who owns which platform, where and since when.
grain: [platform_id, company_id, geography]
nullable: [owner_share, valid_from, valid_to, citation_id, note]
---*/

select
    platform_id,
    company_id,
    geography,
    owner_share,
    case
    length(valid_from)
        when 4 then (valid_from || '-01-01')::date
        when 7 then (valid_from || '-01')::date
        else valid_from::date
    end as valid_from,
    valid_to,
    kind,
    verification,
    citation_id,
    note
from raw.reference__platform_ownership
