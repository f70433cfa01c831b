/*---
description: "How big each company is: R&D expense, revenue, funding, capital and people, each statistic with its page, and whether it is the measure of size that the link uses."
grain: [resource_id]
nullable: [fiscal_year, period_start_on, currency, usd_rate, value_usd, unusable_reason, note]
rows: {min: 50}
caveats:
  - Take resource_scope group before comparing years.
  - Where no R&D expense and no funding is stated, the link takes revenue times the median share of R&D in revenue.
---*/

with measures as (
    select distinct
        company_id,
        size_measure
    from intermediate.int_company__size
)

select
    resources.resource_id,
    resources.company_id,
    resources.quantity,
    resources.fiscal_year,
    resources.period_start_on,
    resources.as_of_on,
    resources.resource_scope,
    resources.value,
    resources.currency,
    resources.usd_rate,
    resources.value_usd,
    resources.bound,
    resources.resource_basis,
    resources.tier,
    resources.verification,
    resources.is_usable,
    resources.unusable_reason,
    resources.is_usable
    and resources.verification <> 'UNVERIFIED'
    and resources.resource_scope = 'group'
    and coalesce(resources.value_usd, 0) > 0
    and resources.quantity = any(case measures.size_measure
        when 'rd_expense' then ['rd_expense']
        when 'funding' then ['funding_raised_total', 'funding_round']
        when 'rd_from_revenue' then ['revenue']
        else []
    end) as is_size,
    resources.figure_as_stated,
    resources.citation_id,
    resources.note
from staging.stg_reference__company_resources as resources
left join measures on resources.company_id = measures.company_id
order by resources.resource_id
