/*---
description: >
  Video a company reaches without owning a platform, by month: the public web and open sets for everybody, and what it
  licenses where that is on record. Alleged access is left out.
grain: [company_id, access_kind]
nullable: [valid_from]
---*/

with licensed as (
    select
        company_id,
        min(valid_from) as valid_from,
        list_sort(list(distinct citation_id) filter (where citation_id is not null)) as citation_ids
    from staging.stg_reference__company_access
    where access_kind = 'licensed' and is_baseline and verification != 'UNVERIFIED'
    group by company_id
)

select
    c.company_id,
    'public' as access_kind,
    null::date as valid_from,
    (
        select a.citation_ids from staging.stg_reference__assumptions as a
        where a.name = 'scrape_hours'
    ) as citation_ids
from staging.stg_reference__companies as c
union all
select
    l.company_id,
    'licensed' as access_kind,
    l.valid_from,
    coalesce(l.citation_ids, []::varchar[]) as citation_ids
from licensed as l
