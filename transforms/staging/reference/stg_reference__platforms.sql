/*---
description: Places where people publish video. A launch known to the month counts from its first day.
grain: [platform_id]
nullable: [country, launched_on, closed_on, parent_platform_id, citation_id, note]
---*/

select
    platform_id,
    name,
    class,
    kind,
    content,
    country,
    case
    length(launched_on)
        when 4 then (launched_on || '-01-01')::date
        when 7 then (launched_on || '-01')::date
        else launched_on::date
    end as launched_on,
    case
    length(closed_on)
        when 4 then (closed_on || '-01-01')::date
        when 7 then (closed_on || '-01')::date
        else closed_on::date
    end as closed_on,
    parent_platform_id,
    verification,
    citation_id,
    note
from raw.reference__platforms
