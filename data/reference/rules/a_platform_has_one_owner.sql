/*---
description: A platform has one owner in one part of the world at a time, and its shares sum to at most 1.
fix: end the earlier row the day before the later begins, or mark a minority.
---*/

with owners as (
    select
        *,
        coalesce(rpad(valid_from, 10, '-01-01'), '0001-01-01') as starts_on,
        coalesce(valid_to::varchar, '9999-12-31') as ends_on
    from platform_ownership
    where coalesce(rpad(valid_from, 10, '-01-01'), '0001-01-01') <= coalesce(valid_to::varchar, '9999-12-31')
)

select
    'platform_ownership' as file_name,
    owners.line,
    string_agg(others.company_id, ' and ' order by others.line) || ' own ' || owners.platform_id || ' at once in '
    || owners.geography || '; right would be one owner, and shares of at most 1 together' as wrong
from owners
inner join owners as others
    on
        owners.platform_id = others.platform_id
        and (
            owners.geography = others.geography
            or 'global' in (owners.geography, others.geography)
            or (
                'global_excl_china' in (owners.geography, others.geography)
                and 'china' not in (owners.geography, others.geography)
            )
            or (
                'global_excl_china_us' in (owners.geography, others.geography)
                and not list_has_any(['china', 'us'], [owners.geography, others.geography])
            )
        )
        and owners.starts_on between others.starts_on and others.ends_on
group by owners.line, owners.platform_id, owners.geography
having count(*) filter (where others.kind = 'owner') > 1 or sum(others.owner_share) > 1
