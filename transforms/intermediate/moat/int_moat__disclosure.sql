/*---
description: >
  For each disclosed quantity of training data, what we estimate its company could reach in the month the model came out, and, where the value is in hours of video, how much of that it is.
  Only verified values are compared, and only models whose release day is known. A raw pool in hours is the least that estimate can be from then on, so that
  neither it nor any later value of that company is compared.
grain: [disclosure_id]
nullable: [value, disclosed_to_available_ratio_p50]
---*/

with months as (
    select
        min(month) as first_month,
        max(month) as last_month
    from intermediate.int_company__volume_quantiles
)

select
    disclosures.disclosure_id,
    disclosures.company_id,
    disclosures.model_id,
    volumes.month as volume_month,
    disclosures.stage_kind,
    disclosures.value,
    disclosures.quantity,
    volumes.available_hours_p05,
    volumes.available_hours_p50,
    volumes.available_hours_p95,
    case
        when
            disclosures.quantity = 'hours' and disclosures.value > 0
            and pools.company_id is null
            then disclosures.value / volumes.available_hours_p50
    end as disclosed_to_available_ratio_p50,
    evidence.citation_ids,
    evidence.assumption_ids
from staging.stg_reference__training_disclosures as disclosures
inner join intermediate.int_model__release as releases on disclosures.model_id = releases.model_id
cross join months
inner join intermediate.int_company__volume_quantiles as volumes
    on
        disclosures.company_id = volumes.company_id
        and volumes.scenario_id = 'baseline'
        and volumes.month = least(
            greatest(date_trunc('month', releases.released_on)::date, months.first_month), months.last_month
        )
inner join intermediate.int_company__evidence as evidence
    on
        volumes.company_id = evidence.company_id
        and volumes.month = evidence.month
        and volumes.scenario_id = evidence.scenario_id
asof left join intermediate.int_company__disclosed_pool as pools
    on disclosures.company_id = pools.company_id and volumes.month >= pools.valid_from
where disclosures.verification <> 'UNVERIFIED' and releases.released_on is not null
