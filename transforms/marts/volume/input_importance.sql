/*---
description: >
  Which inputs a company's interval comes from in the last month: the share of the log variance each carries, first order,
  with the part no single input carries as interactions, so that a company and measure sum to 1. Inputs are single observations,
  and assumptions by scope (A209:douyin is the part of Douyin's upload rate that is its own).
grain: [company_id, measure, input_id]
nullable: [assumption_id, fact_id, platform_id, variance_removed_by_one_more]
rows: {min: 100}
caveats:
  - A share is not a worth. variance_removed_by_one_more is what dropping an observation would add, or what one more official
    statement of that kind would take away, as a share of the same variance; inputs of one kind share that gain.
  - Platforms are taken as independent given their draws; what they share through common priors can make interactions negative.
---*/

select
    i.company_id,
    i.measure,
    i.input_id,
    i.month,
    i.input_kind,
    case
        when i.input_kind = 'interaction' then 'Interactions'
        when i.input_kind = 'remainder' then 'All inputs below one in two thousand'
        when
            i.fact_id is not null
            then
                p.name || ': ' || replace(o.metric, '_', ' ') || ', ' || strftime(o.period_end_on, '%Y-%m')
        when a.assumption_id is not null then a.description
        when e.event_id is not null then 'Declared: ' || e.event_title || '. ' || e.reason
        else 'Assumed share of another platform'
    end as input_title,
    i.assumption_id,
    i.fact_id,
    case
        when i.fact_id is not null then o.platform_id
        else (
            select own.platform_id
            from staging.stg_reference__platforms as own
            where own.platform_id = split_part(i.input_id, ':', -1)
        )
    end as platform_id,
    i.variance_share,
    i.variance_removed_by_one_more,
    list_filter([o.citation_id, e.citation_id], lambda x: x is not null) as citation_ids,  -- noqa: RF02
    list_filter([i.assumption_id], lambda x: x is not null) as assumption_ids  -- noqa: RF02
from intermediate.int_company__importance as i
left join intermediate.int_platform__observation as o on i.fact_id = o.fact_id
left join staging.stg_reference__platforms as p on o.platform_id = p.platform_id
left join staging.stg_reference__assumptions as a on i.assumption_id = a.assumption_id
left join staging.stg_reference__platform_events as e on split_part(i.input_id, ':', 1) = e.event_id
order by i.company_id asc, i.measure asc, i.variance_share desc, i.input_id asc
