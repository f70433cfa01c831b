/*---
description: >
  The most raw hours of video that a company states to have gathered for training, from the month in which the model came out: a lower
  bound of what it can reach. Unverified values and models without a release day give none.
grain: [company_id, valid_from]
---*/

with stated as (
    select
        d.company_id,
        date_trunc('month', r.released_on)::date as valid_from,
        max(d.value) as hours,
        list_sort(list(distinct d.citation_id)) as citation_ids
    from staging.stg_reference__training_disclosures as d
    inner join intermediate.int_model__release as r on d.model_id = r.model_id
    where
        d.quantity = 'hours'
        and d.stage_kind = 'raw'
        and d.bound <> 'at_most'
        and d.value > 0
        and d.verification <> 'UNVERIFIED'
        and r.released_on is not null
    group by d.company_id, date_trunc('month', r.released_on)
),

running as (
    select
        company_id,
        valid_from,
        citation_ids,
        max(hours) over (partition by company_id order by valid_from) as hours,
        coalesce(max(hours) over (
            partition by company_id order by valid_from rows between unbounded preceding and 1 preceding
        ), 0) as before
    from stated
)

select
    company_id,
    valid_from,
    hours as disclosed_pool_hours,
    citation_ids
from running
where hours > before
