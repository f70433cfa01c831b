/*---
description: Every figure of the link rests on pages and assumptions, and every one of them exists.
severity: critical
---*/

with stated as (
    select distinct
        'company_moat' as table_name,
        citation_ids,
        assumption_ids
    from marts.company_moat
    union all
    select distinct
        'moat_association' as table_name,
        citation_ids,
        assumption_ids
    from marts.moat_association
    union all
    select distinct
        'moat_test' as table_name,
        citation_ids,
        assumption_ids
    from marts.moat_test
    union all
    select distinct
        'confounder' as table_name,
        citation_ids,
        assumption_ids
    from marts.confounder
    union all
    select distinct
        'moat_answer' as table_name,
        citation_ids,
        assumption_ids
    from marts.moat_answer
),

cited as (
    select distinct
        table_name,
        unnest(citation_ids) as id
    from stated
),

assumed as (
    select distinct
        table_name,
        unnest(assumption_ids) as id
    from stated
)

select
    table_name,
    'no citation or no assumption' as what
from stated
where len(citation_ids) = 0 or len(assumption_ids) = 0
union all
select
    cited.table_name,
    cited.id as what
from cited
left join meta.citations as citations on cited.id = citations.citation_id
where citations.citation_id is null
union all
select
    assumed.table_name,
    assumed.id as what
from assumed
left join meta.assumptions as assumptions on assumed.id = assumptions.assumption_id
where assumptions.assumption_id is null
