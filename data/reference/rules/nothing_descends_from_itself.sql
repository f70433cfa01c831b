/*---
description: No row is its own parent, base, predecessor or earlier version, over any number of steps.
fix: name the row it comes from, or leave the cell empty.
---*/

with recursive steps as (
    select
        'models' as file_name,
        line,
        'predecessor_model_id' as column_name,
        model_id as child,
        predecessor_model_id as parent
    from models
    union all
    select
        'models' as file_name,
        line,
        'base_model_id' as column_name,
        model_id as child,
        base_model_id as parent
    from models
    union all
    select
        'platforms' as file_name,
        line,
        'parent_platform_id' as column_name,
        platform_id as child,
        parent_platform_id as parent
    from platforms
    union all
    select
        'platform_observations' as file_name,
        line,
        'supersedes_fact_id' as column_name,
        fact_id as child,
        supersedes_fact_id as parent
    from platform_observations
),

ancestors as (
    select *
    from steps
    where parent is not null
    union
    select
        ancestors.file_name,
        ancestors.line,
        ancestors.column_name,
        ancestors.child,
        steps.parent
    from ancestors
    inner join steps on ancestors.file_name = steps.file_name and ancestors.parent = steps.child
    where steps.parent is not null
)

select
    file_name,
    line,
    column_name || ' leads from ' || child || ' back to ' || child || '; right would be another row' as wrong
from ancestors
where child = parent
