/*---
description: >
  Every platform and company row names assumptions and citations, and every one of them exists.
severity: critical
---*/

with named as (
    select distinct
        unnest(citation_ids) as citation_id,
        null::varchar as assumption_id
    from (
        select citation_ids from marts.platform_volume
        union all
        select citation_ids from marts.company_volume
    )
    union all
    select distinct
        null::varchar as citation_id,
        unnest(assumption_ids) as assumption_id
    from (
        select assumption_ids from marts.platform_volume
        union all
        select assumption_ids from marts.company_volume
    )
)

select
    n.citation_id,
    n.assumption_id
from named as n
where
    (n.citation_id is not null and n.citation_id not in (select c.citation_id from meta.citations as c))
    or (n.assumption_id is not null and n.assumption_id not in (select a.assumption_id from meta.assumptions as a))
union all
select
    v.platform_id as citation_id,
    v.scenario_id as assumption_id
from marts.platform_volume as v
where len(v.citation_ids) = 0 or len(v.assumption_ids) = 0
