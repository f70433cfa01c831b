/*---
description: Which video a company can reach or is reported to reach, with the kind of access and the assumption that gives its share.
grain: [access_id]
nullable: [lab_id, platform_id, geography, valid_from, valid_to, evidence_on, citation_id, note]
---*/

select
    access_id,
    company_id,
    lab_id,
    platform_id,
    geography,
    target,
    access_kind,
    status,
    is_baseline,
    case
    length(valid_from)
        when 4 then (valid_from || '-01-01')::date
        when 7 then (valid_from || '-01')::date
        else valid_from::date
    end as valid_from,
    valid_to,
    evidence_on,
    assumption_id,
    citation_id,
    verification,
    note
from raw.reference__company_access
