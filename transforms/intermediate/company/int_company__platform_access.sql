/*---
description: >
  Which platforms a company owns in each month, which part of the world that ownership covers, and the assumption for
  the share of it that the company's labs may reach. The state on the month's last day counts.
grain: [company_id, platform_id, month]
nullable: [access_id]
caveats:
  - Owning is not using. Where no statement about access is on record, the usual share of an owner is taken.
  - A platform without a statistic is_prior_only and in no total.
  - A minority stake gives nothing. Alleged and scraped access to another company's platform is never counted.
---*/

with months as (
    select unnest(generate_series(date '2004-01-01', getvariable('as_of')::date, interval 1 month))::date as month
),

owned as (
    select
        o.company_id,
        o.platform_id,
        m.month,
        o.geography,
        o.citation_id
    from staging.stg_reference__platform_ownership as o
    inner join staging.stg_reference__volume_series as s on o.platform_id = s.platform_id
    inner join staging.stg_reference__platforms as p on o.platform_id = p.platform_id
    inner join months as m
        on
            last_day(m.month) >= coalesce(o.valid_from, date '1900-01-01')
            and last_day(m.month) <= coalesce(o.valid_to, date '9999-01-01')
            and last_day(m.month) >= coalesce(s.assumed_launch_on, p.launched_on)
    where o.kind = 'owner' and s.is_modelled
),

access as (
    select
        company_id,
        platform_id,
        access_id,
        assumption_id,
        citation_id,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-01-01') as valid_to
    from staging.stg_reference__company_access
    where access_kind = 'first_party' and is_baseline and platform_id is not null
)

select
    o.company_id,
    o.platform_id,
    o.month,
    case o.geography when 'global_excl_china_us' then 'without_us' when 'us' then 'us_only' else 'whole' end
        as owned_part,
    a.access_id,
    case
        when o.platform_id = (
            select x.applies_to from staging.stg_reference__assumptions as x
            where x.assumption_id = a.assumption_id
        ) then o.platform_id
        else o.company_id || ':' || o.platform_id
    end as scope,
    coalesce(a.assumption_id, (
        select x.assumption_id from staging.stg_reference__assumptions as x
        where x.name = 'access_owner'
    )) as assumption_id,
    t.is_in_totals,
    t.is_prior_only,
    p.class = 'short' and not t.is_prior_only as is_short,
    list_sort(list_distinct(list_filter([o.citation_id, a.citation_id], lambda x: x is not null))) as citation_ids  -- noqa: RF02
from owned as o
inner join intermediate.int_platform__total as t on o.platform_id = t.platform_id
inner join staging.stg_reference__platforms as p on o.platform_id = p.platform_id
left join access as a
    on
        o.company_id = a.company_id
        and o.platform_id = a.platform_id
        and last_day(o.month) between a.valid_from and a.valid_to
qualify row_number() over (partition by o.company_id, o.platform_id, o.month order by o.geography, a.access_id) = 1
