/*---
description: >
  Which platforms count in totals: those that are meant to and that any statistic is about. One without a statistic is prior alone
  and counts only in the scenario with_prior_only_platforms.
grain: [platform_id]
---*/

with observed as (
    select distinct platform_id
    from intermediate.int_platform__observation_use
    where is_used and log_value is not null
)

select
    s.platform_id,
    s.is_in_totals and o.platform_id is not null as is_in_totals,
    s.is_in_totals and o.platform_id is null as is_prior_only
from staging.stg_reference__volume_series as s
left join observed as o on s.platform_id = o.platform_id
