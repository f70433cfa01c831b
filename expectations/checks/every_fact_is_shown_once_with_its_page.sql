/*---
description: Every transcribed statistic and disclosure is in its public table, and its page is in the citations.
severity: critical
---*/

select
    f.fact_id,
    f.citation_id
from staging.stg_reference__platform_observations as f
left join marts.platform_observation as o on f.fact_id = o.fact_id
left join meta.citations as c on f.citation_id = c.citation_id
where o.fact_id is null or c.citation_id is null
union all
select
    f.disclosure_id,
    f.citation_id
from staging.stg_reference__training_disclosures as f
left join marts.training_disclosure as d on f.disclosure_id = d.disclosure_id
left join meta.citations as c on f.citation_id = c.citation_id
where d.disclosure_id is null or c.citation_id is null
