/*---
description: Every assumption id in a mart is in meta.assumptions, so that each number leads to a number we chose, with its reason.
severity: critical
---*/
with named as (
    select distinct
        'marts.input_importance.assumption_id' as named_by,
        assumption_id as id
    from marts.input_importance
    union all
    select distinct
        'marts.assumption_draws.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.assumption_draws
    union all
    select distinct
        'marts.company_moat.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.company_moat
    union all
    select distinct
        'marts.company_platform.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.company_platform
    union all
    select distinct
        'marts.company_volume.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.company_volume
    union all
    select distinct
        'marts.input_importance.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.input_importance
    union all
    select distinct
        'marts.moat_answer.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.moat_answer
    union all
    select distinct
        'marts.moat_effect.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.moat_effect
    union all
    select distinct
        'marts.model_score.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.model_score
    union all
    select distinct
        'marts.platform_volume.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.platform_volume
    union all
    select distinct
        'marts.training_disclosure.assumption_ids' as named_by,
        unnest(assumption_ids) as id
    from marts.training_disclosure
)

select
    named.named_by,
    named.id
from named
anti join meta.assumptions as known on named.id = known.assumption_id
where named.id is not null
order by named.named_by, named.id
