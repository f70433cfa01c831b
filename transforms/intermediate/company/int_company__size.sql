/*---
description: >
  The size of each company over time: yearly R&D expense; where none is stated, funding raised to date; where neither is, revenue times the median share of R&D in revenue
  of companies that state both. One measure a company. A year's accounts count from 90 days after the year's end, funding from its day.
grain: [company_id, public_on]
---*/

with stated as (
    select
        company_id,
        quantity,
        as_of_on,
        max(value_usd) as value_usd,
        list_sort(list(distinct citation_id)) as citation_ids
    from staging.stg_reference__company_resources
    where is_usable and verification <> 'UNVERIFIED' and resource_scope = 'group' and value_usd > 0
    group by company_id, quantity, as_of_on
),

share as (
    select median(research.value_usd / revenue.value_usd) as rd_share
    from stated as research
    inner join stated as revenue
        on
            research.company_id = revenue.company_id
            and research.as_of_on = revenue.as_of_on
            and revenue.quantity = 'revenue'
    where research.quantity = 'rd_expense'
),

-- Totals where stated, else the rounds so far; neither ever falls.
days as (
    select
        company_id,
        as_of_on,
        max(value_usd) filter (where quantity = 'funding_raised_total') as total_usd,
        coalesce(max(value_usd) filter (where quantity = 'funding_round'), 0)::decimal(18, 0) as round_usd,
        list_sort(list_distinct(flatten(list(citation_ids)))) as citation_ids
    from stated
    where quantity in ('funding_raised_total', 'funding_round')
    group by company_id, as_of_on
),

rounds as (
    select
        *,
        (sum(round_usd) over (partition by company_id order by as_of_on))::double as rounds_usd
    from days
),

funding as (
    select
        company_id,
        as_of_on,
        max(greatest(coalesce(total_usd, 0), rounds_usd)) over (partition by company_id order by as_of_on) as value_usd,
        citation_ids
    from rounds
),

measures as (
    select
        company_id,
        1 as preference,
        'rd_expense' as size_measure,
        as_of_on + 90 as public_on,
        value_usd,
        citation_ids
    from stated
    where quantity = 'rd_expense'
    union all
    select
        company_id,
        2 as preference,
        'funding' as size_measure,
        as_of_on as public_on,
        value_usd,
        citation_ids
    from funding
    union all
    select
        stated.company_id,
        3 as preference,
        'rd_from_revenue' as size_measure,
        stated.as_of_on + 90 as public_on,
        round(stated.value_usd * share.rd_share) as value_usd,
        stated.citation_ids
    from stated
    cross join share
    where stated.quantity = 'revenue'
)

select
    company_id,
    size_measure,
    public_on,
    value_usd,
    citation_ids
from measures
qualify preference = min(preference) over (partition by company_id)
