/*---
description: A later version is of the same study or family, is another row, and is not earlier than the one before.
fix: exchange the two, or name the right one.
---*/

with steps as (
    select
        'models' as file_name,
        line,
        model_id as later_id,
        unnest([predecessor_model_id, base_model_id]) as earlier_id
    from models
    union all
    select
        'dose_pairs' as file_name,
        line,
        model_id_to as later_id,
        model_id_from as earlier_id
    from dose_pairs
),

released as (
    select
        model_id,
        coalesce(released_on, announced_on) as released_on
    from models
)

select
    steps.file_name,
    steps.line,
    steps.later_id || ' of ' || coalesce(later.released_on, 'no day') || ' comes after ' || steps.earlier_id || ' of '
    || coalesce(earlier.released_on, 'no day') || '; right would be a later model after an earlier one' as wrong
from steps
inner join released as later on steps.later_id = later.model_id
inner join released as earlier on steps.earlier_id = earlier.model_id
where
    steps.file_name = 'dose_pairs' and steps.later_id = steps.earlier_id
    -- a day may be stated as a year or a month: compare what both state
    or left(later.released_on, length(earlier.released_on)) < left(earlier.released_on, length(later.released_on))
union all
select
    'dose_pairs' as file_name,
    line,
    'both ends are ' || disclosure_id_to || '; right would be two disclosures' as wrong
from dose_pairs
where disclosure_id_from = disclosure_id_to
union all
select
    'platform_observations' as file_name,
    later.line,
    later.fact_id || ' of ' || later.platform_id || ' ' || later.metric || ' supersedes ' || earlier.fact_id || ' of '
    || earlier.platform_id || ' ' || earlier.metric || '; right would be one platform and metric' as wrong
from platform_observations as later
inner join platform_observations as earlier on later.supersedes_fact_id = earlier.fact_id
where later.platform_id <> earlier.platform_id or later.metric <> earlier.metric
union all
select
    'models' as file_name,
    line,
    'is_open_weights is true with licence ' || license || '; right would be false, or the licence of the weights'
        as wrong
from models
where is_open_weights and regexp_matches(lower(license), 'proprietary|not released|closed|api only')
