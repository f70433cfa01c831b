/*---
description: A metric has one unit, that of the other rows of the metric.
fix: give the unit of the metric, or another metric.
---*/

with units as (
    select
        metric,
        mode(unit) as usual_unit
    from platform_observations
    group by metric
)

select
    'platform_observations' as file_name,
    observations.line,
    'unit ' || observations.unit || ' does not fit metric ' || observations.metric
    || '; right would be ' || units.usual_unit as wrong
from platform_observations as observations
inner join units on observations.metric = units.metric
where observations.unit <> units.usual_unit
