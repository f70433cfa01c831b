/*---
description: Every page a fact was read from, with the last day by which it was published.
grain: [citation_id]
nullable: [url, published_as_stated, read_on, page_sha256, source_id, published_by_on]
---*/

select
    citation_id,
    title,
    publisher,
    url,
    published_on as published_as_stated,
    case
    length(published_on)
        when 4 then (published_on || '-12-31')::date
        when 7 then last_day((published_on || '-01')::date)
        else published_on::date
    end as published_by_on,
    read_on,
    verification,
    tier::integer as tier,
    source_kind,
    page_sha256,
    source_id
from raw.reference__citations
