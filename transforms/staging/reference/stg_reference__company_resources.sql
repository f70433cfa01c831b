/*---
description: >
  How big a company is: statistics of R&D expense, revenue, capital and people, each for one period or day. `as_of_on` is
  the last day that its own date can mean.
grain: [resource_id]
nullable: [fiscal_year, period_start_on, currency, usd_rate, value_usd, unusable_reason, note]
caveats:
  - Take scope group before comparing years; the other scopes are quarters, parts or several years.
  - Fiscal years end in January (NVIDIA), March (Alibaba), June (Microsoft) or November (Adobe).
---*/

select
    resource_id,
    company_id,
    quantity,
    fiscal_year::integer as fiscal_year,
    period_start_on,
    case
    length(as_of_on)
        when 4 then (as_of_on || '-12-31')::date
        when 7 then last_day((as_of_on || '-01')::date)
        else as_of_on::date
    end as as_of_on,
    scope as resource_scope,
    value,
    currency,
    usd_rate,
    value_usd,
    bound,
    basis as resource_basis,
    source_kind,
    tier::integer as tier,
    verification,
    is_usable,
    unusable_reason,
    figure_as_stated,
    citation_id,
    note
from raw.reference__company_resources
