/*---
description: A fact has one row, a company's size one usable value a measure and year, a page one citation, a name one id.
fix: delete the newer row; of two sources that contradict each other set is_usable to false for one.
---*/

with named as (
    select
        file_name,
        line,
        regexp_replace(lower(stated), '[\s\p{P}]', '', 'g') as key
    from cells
    where
        (file_name, column_name) in (
            ('models', 'model_name'),
            ('platforms', 'name'),
            ('labs', 'name'),
            ('companies', 'name'),
            ('open_datasets', 'name')
        )
),

pages as (
    select
        *,
        regexp_replace(lower(url), '^https?://(www\.)?|#.*$|/$', '', 'g') as address
    from citations
),

stated as (
    select
        *,
        concat_ws(
            ' ', citation_id, platform_id, metric, period_start_on, period_end_on, observed_on, geography
        ) as key,
        case bound when 'at_most' then 0 else coalesce(value_low, value) end as lowest,
        case bound when 'at_least' then 'infinity'::double else coalesce(value_high, value) end as highest
    from platform_observations
    where is_usable
),

rows_by_key as (
    select
        'platform_observations' as file_name,
        line,
        concat_ws(
            ' ', platform_id, metric, geography, value, period_start_on, period_end_on, observed_on, citation_id
        ) as key
    from platform_observations
    union all
    select
        'company_resources' as file_name,
        line,
        concat_ws(' ', company_id, quantity, coalesce(fiscal_year::varchar, as_of_on)) as key
    from company_resources
    where is_usable and scope = 'group' and not starts_with(quantity, 'funding')
    union all
    select
        file_name,
        line,
        key
    from named
)

select
    file_name,
    max(line) as line,
    key || ' is in lines ' || string_agg(line, ' and ' order by line) || '; right would be one of them' as wrong
from rows_by_key
group by file_name, key
having count(*) > 1
union all
select
    'platform_observations' as file_name,
    later.line,
    later.metric || ' of ' || later.platform_id || ' is ' || later.value || ' here and ' || earlier.value || ' in line '
    || earlier.line || ', of the same page, period and geography; right would be one of them' as wrong
from stated as later
inner join stated as earlier on later.key = earlier.key and later.line > earlier.line
where least(later.highest, earlier.highest) < greatest(later.lowest, earlier.lowest)
union all
-- The root of a repository holds many pages; one address may hold another page on another day.
select
    'citations' as file_name,
    later.line,
    later.url || ' is ' || earlier.citation_id || ' already; right would be that id in place of ' || later.citation_id
        as wrong
from pages as later
inner join pages as earlier on later.address = earlier.address and later.line > earlier.line
where
    not regexp_matches(later.address, '^(github\.com/[^/]+/[^/]+|huggingface\.co/datasets/[^/]+/[^/]+)$')
    and (later.title = earlier.title or later.published_on is not distinct from earlier.published_on)
