/*---
description: >
  Which companies own a video platform in each month, by the ownership table and the kind of the platform, whatever statistics there
  are of it. A video platform is one where users publish filmed or live video: of class short, long or social. Films shown under
  licence and feeds of generated clips are none. A company is_owner_contested if no platform of it is plain: filmed, short or long,
  modelled, and owned by a verified row.
grain: [company_id, month]
caveats:
  - The state on the month's last day counts.
  - A platform whose launch is neither stated nor assumed counts from the first day of its owner; without that day it is left out.
---*/

with months as (
    select unnest(generate_series(date '2004-01-01', getvariable('as_of')::date, interval 1 month))::date as month
),

platforms as (
    select
        p.platform_id,
        p.kind = 'platform' and p.class <> 'licensed' and p.content in ('filmed', 'live') as is_video_platform,
        p.class in ('short', 'long') and p.content = 'filmed' and s.is_modelled as is_plain,
        coalesce(s.assumed_launch_on, p.launched_on) as launched_on,
        p.closed_on
    from staging.stg_reference__platforms as p
    inner join staging.stg_reference__volume_series as s on p.platform_id = s.platform_id
    where p.kind in ('platform', 'part')
)

select
    o.company_id,
    m.month,
    bool_or(p.is_video_platform) as owns_platform,
    not bool_or(p.is_plain and o.verification <> 'UNVERIFIED') as is_owner_contested,
    coalesce(list_sort(list(distinct o.citation_id) filter (where o.citation_id is not null)), []) as citation_ids
from staging.stg_reference__platform_ownership as o
inner join platforms as p on o.platform_id = p.platform_id
inner join months as m
    on
        last_day(m.month) >= coalesce(o.valid_from, date '1900-01-01')
        and last_day(m.month) <= coalesce(o.valid_to, date '9999-01-01')
        and last_day(m.month) >= coalesce(p.launched_on, o.valid_from)
        and last_day(m.month) <= coalesce(p.closed_on, date '9999-01-01')
where o.kind = 'owner'
group by o.company_id, m.month
