/*---
description: >
  The size of each company over time: yearly R&D expense; where none is stated, funding raised to date; where neither is, revenue times the median share of R&D in revenue
  of companies that state both. One measure a company. A year counts from 90 days after its end, funding from its day, whether it was public then or not: published_on is the day by which it was.
grain: [company_id, counts_from_on]
---*/

-- What a company publishes itself is public soon after; a prospectus, a leak or an estimate of others on the day of its page.
with stated as (
    select
        r.company_id,
        r.quantity,
        r.as_of_on,
        max(r.value_usd) as value_usd,
        min(case
            when r.resource_basis in ('accounts', 'derived') and r.quantity in ('rd_expense', 'revenue')
                then r.as_of_on + 90
            when r.resource_basis = 'announcement' then r.as_of_on
            else greatest(r.as_of_on, coalesce(c.published_by_on, c.read_on::date))
        end) as published_on,
        list_sort(list(distinct r.citation_id)) as citation_ids
    from staging.stg_reference__company_resources as r
    inner join staging.stg_reference__citations as c on r.citation_id = c.citation_id
    where r.is_usable and r.verification <> 'UNVERIFIED' and r.resource_scope = 'group' and r.value_usd > 0
    group by r.company_id, r.quantity, r.as_of_on
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
        max(published_on) as published_on,
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
        max(published_on) over (partition by company_id order by as_of_on) as published_on,
        citation_ids
    from rounds
),

measures as (
    select
        company_id,
        1 as preference,
        'rd_expense' as size_measure,
        as_of_on + 90 as counts_from_on,
        value_usd,
        published_on,
        citation_ids
    from stated
    where quantity = 'rd_expense'
    union all
    select
        company_id,
        2 as preference,
        'funding' as size_measure,
        as_of_on as counts_from_on,
        value_usd,
        published_on,
        citation_ids
    from funding
    union all
    select
        stated.company_id,
        3 as preference,
        'rd_from_revenue' as size_measure,
        stated.as_of_on + 90 as counts_from_on,
        round(stated.value_usd * share.rd_share) as value_usd,
        stated.published_on,
        stated.citation_ids
    from stated
    cross join share
    where stated.quantity = 'revenue'
)

select
    company_id,
    size_measure,
    counts_from_on,
    value_usd,
    published_on,
    citation_ids
from measures
qualify preference = min(preference) over (partition by company_id)
