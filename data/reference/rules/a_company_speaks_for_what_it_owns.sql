/*---
description: An official statistic comes from a company that owns the platform, and first-party access is to a platform that is owned.
fix: correct the company or platform, or give source_kind or access_kind as what it is.
---*/

with owned as (
    select
        platform_id,
        company_id,
        coalesce(rpad(valid_from, 10, '-01-01'), '0001-01-01') as starts_on,
        coalesce(valid_to::varchar, '9999-12-31') as ends_on
    from platform_ownership
),

owners as (
    select
        platform_id,
        string_agg(distinct company_id, ' or ' order by company_id) as named
    from owned
    group by platform_id
)

select
    'platform_observations' as file_name,
    observations.line,
    'originator ' || observations.originator || ' does not own ' || observations.platform_id || '; right would be '
    || owners.named as wrong
from platform_observations as observations
inner join companies on observations.originator = companies.company_id
inner join owners on observations.platform_id = owners.platform_id
where
    observations.source_kind in ('official_file', 'filing', 'official_statement')
    and (observations.platform_id, observations.originator)
    not in (select (owned.platform_id, owned.company_id) from owned)
union all
select
    'company_access' as file_name,
    access.line,
    'access_kind first_party of ' || access.company_id || ' to ' || access.platform_id
    || ', which it does not own then; right would be another kind, or ' || coalesce(owners.named, 'its owner') as wrong
from company_access as access
left join owners on access.platform_id = owners.platform_id
where
    access.access_kind = 'first_party'
    and access.platform_id is not null
    and not exists (
        select 1
        from owned
        where
            owned.platform_id = access.platform_id
            and owned.company_id = access.company_id
            and coalesce(rpad(access.valid_from, 10, '-01-01'), '0001-01-01') <= owned.ends_on
            and coalesce(access.valid_to::varchar, '9999-12-31') >= owned.starts_on
    )
union all
select
    'company_access' as file_name,
    line,
    'is_baseline is true for access of kind ' || access_kind || ' and status ' || status || '; right would be false'
        as wrong
from company_access
where is_baseline and (access_kind = 'alleged' or status in ('alleged', 'cancelled', 'undisclosed'))
