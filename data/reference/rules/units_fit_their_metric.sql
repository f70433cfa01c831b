/*---
description: A metric has one unit, the one it is called after, else that of most of its rows.
fix: give the unit of the metric, or another metric.
---*/

with ranked as (
    select
        metric,
        unit,
        rank() over (
            partition by metric
            order by
                unit = metric desc,
                count(*) desc,
                list_has_all(string_split(metric, '_'), string_split(unit, '_')) desc
        ) as place
    from platform_observations
    group by metric, unit
),

usual as (
    select
        metric,
        list(unit) as units,
        string_agg(unit, ' or ' order by unit) as listed
    from ranked
    where place = 1
    group by metric
)

-- Of a tie each row is named: any of them may be wrong.
select
    'platform_observations' as file_name,
    observations.line,
    'unit ' || observations.unit || ' does not fit metric ' || observations.metric
    || '; right would be ' || usual.listed || case when len(usual.units) > 1 then ' in all rows' else '' end as wrong
from platform_observations as observations
inner join usual on observations.metric = usual.metric
where len(usual.units) > 1 or observations.unit <> usual.units[1]
