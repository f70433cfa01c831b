/*---
description: A platform that no statistic of a scenario is about counts in totals of with_prior_only_platforms alone.
severity: critical
---*/

select
    platform_id,
    month,
    scenario_id
from marts.platform_volume
where is_in_totals and basis = 'prior_only' and scenario_id != 'with_prior_only_platforms'
