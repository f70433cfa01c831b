/*---
description: >
  What a company's volume rests on in each month and scenario: how many platforms, which kinds of access, the weakest
  basis among its platforms, and every citation and assumption.
grain: [company_id, month, scenario_id]
---*/

with scenarios as (
    select unnest(['baseline', 'with_prior_only_platforms', 'official_only', 'wide']) as scenario_id
),

grid as (
    select
        q.company_id,
        q.month,
        q.scenario_id
    from intermediate.int_company__volume_quantiles as q
),

owned as (
    select
        a.company_id,
        a.month,
        x.scenario_id,
        a.platform_id,
        a.assumption_id,
        e.basis,
        list_concat(e.citation_ids, a.citation_ids) as citation_ids,
        e.assumption_ids
    from intermediate.int_company__platform_access as a
    cross join scenarios as x
    inner join intermediate.int_platform__evidence as e
        on
            a.platform_id = e.platform_id
            and a.month = e.month
            and e.scenario_id
            = case when x.scenario_id = 'with_prior_only_platforms' then 'baseline' else x.scenario_id end
    where
        (a.is_in_totals and (x.scenario_id != 'official_only' or e.basis != 'prior_only'))
        or (a.is_prior_only and x.scenario_id = 'with_prior_only_platforms')
),

by_company as (
    select
        company_id,
        month,
        scenario_id,
        count(*) as n_platforms,
        min(list_position(['prior_only', 'modelled', 'reported', 'measured'], basis)) as weakest,
        flatten(list(citation_ids)) as citation_ids,
        list_concat(flatten(list(assumption_ids)), list(assumption_id)) as assumption_ids
    from owned
    group by company_id, month, scenario_id
),

elsewhere as (
    select
        company_id,
        list_sort(list(access_kind)) as access_kinds,
        flatten(list(citation_ids)) as citation_ids
    from intermediate.int_company__other_access
    group by company_id
),

common as (
    select
        list(assumption_id) as assumption_ids,
        flatten(list(citation_ids)) as citation_ids
    from staging.stg_reference__assumptions
    where name in ('scrape_hours', 'dup_share_hours', 'yield_hours_raw_to_pretrain')
)

select
    g.company_id,
    g.month,
    g.scenario_id,
    coalesce(w.owns_platform, false) as owns_platform,
    o.n_platforms is not null as has_platform,
    coalesce(o.n_platforms, 0) as n_platforms,
    list_sort(list_concat(
        case when o.n_platforms is not null then ['first_party'] else []::varchar[] end, e.access_kinds
    )) as access_kinds,
    ['prior_only', 'modelled', 'reported', 'measured'][coalesce(o.weakest, 1)] as basis,
    list_sort(list_distinct(list_concat(
        coalesce(o.citation_ids, []::varchar[]), coalesce(w.citation_ids, []::varchar[]),
        e.citation_ids, c.citation_ids, coalesce(d.citation_ids, []::varchar[])
    ))) as citation_ids,
    list_sort(list_distinct(list_concat(
        coalesce(o.assumption_ids, []::varchar[]),
        c.assumption_ids,
        case when list_contains(e.access_kinds, 'licensed') then (
            select list(a.assumption_id) from staging.stg_reference__assumptions as a
            where a.name = 'licensed_hours'
        ) else []::varchar[] end
    ))) as assumption_ids
from grid as g
left join by_company as o
    on g.company_id = o.company_id and g.month = o.month and g.scenario_id = o.scenario_id
left join intermediate.int_company__owner as w on g.company_id = w.company_id and g.month = w.month
inner join elsewhere as e on g.company_id = e.company_id
asof left join intermediate.int_company__disclosed_pool as d
    on g.company_id = d.company_id and g.month >= d.valid_from
cross join common as c
