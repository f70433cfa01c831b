/*---
description: No day is before 1990 or after the last day on which a page was read; owners may be known two years ahead and projections five.
fix: correct the year.
---*/

with latest as (
    select max(read_on) as day
    from citations
    where read_on <= getvariable('today')
),

projections as (
    select line
    from company_resources
    where basis = 'projection'
),

days as (
    select
        *,
        case
            when file_name in ('platform_ownership', 'company_access', 'labs') and column_name like 'valid_%' then 2
            when
                file_name = 'company_resources' and column_name = 'as_of_on'
                and line in (select projections.line from projections) then 5
            else 0
        end as years_ahead
    from cells
    where
        regexp_matches(column_name, '_on$|^valid_(from|to)$|^released_as_stated$')
        and regexp_matches(stated, '^[0-9]{4}(-[0-9]{2}){0,2}$')
    union all
    select
        'labs' as file_name,
        line,
        'founded_year' as column_name,
        greatest(founded_year, 1990)::varchar as stated,
        0 as years_ahead
    from labs
)

select
    days.file_name,
    days.line,
    days.column_name || ' is ' || days.stated || '; right would be a day between 1990 and '
    || (latest.day + to_years(days.years_ahead))::date as wrong
from days
cross join latest
where days.stated < '1990' or days.stated > strftime(latest.day + to_years(days.years_ahead), '%Y-%m-%d')
