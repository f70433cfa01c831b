/*---
description: >
  How much video each platform gets and holds, by month and scenario, with 90% intervals from posterior draws: uploads and hours
  per day, cumulative public videos and hours, and what near-duplicates and quality filters leave of those hours.
grain: [platform_id, month, scenario_id]
nullable: [last_counted_on]
rows: {min: 5000}
caveats:
  - basis is the evidence of a row; prior_only means nothing was ever published that we may use.
  - Parts (is_in_totals false) are a class of length or an assumed share of another platform, or private; never add them to it.
  - A platform without a statistic is in no total but those of the scenario with_prior_only_platforms.
  - Months after last_counted_on are the model's projection, wider month by month; so is every month where it is null.
  - Users are not uploads. They inform uploads only through a wide, pooled ratio.
---*/

with shown as (
    select distinct
        scenario_id,
        scenario_id as evidence_scenario_id
    from intermediate.int_platform__volume_quantiles
    union all
    select
        'with_prior_only_platforms' as scenario_id,
        'baseline' as evidence_scenario_id
)

select
    v.platform_id,
    v.month,
    shown.scenario_id,
    p.name as platform_name,
    p.class as platform_class,
    v.uploads_per_day_p05,
    v.uploads_per_day_p50,
    v.uploads_per_day_p95,
    v.mean_duration_seconds_p05,
    v.mean_duration_seconds_p50,
    v.mean_duration_seconds_p95,
    v.upload_hours_per_day_p05,
    v.upload_hours_per_day_p50,
    v.upload_hours_per_day_p95,
    v.upload_hours_per_day_mc_error,
    v.stock_videos_p05,
    v.stock_videos_p50,
    v.stock_videos_p95,
    v.stock_hours_p05,
    v.stock_hours_p50,
    v.stock_hours_p95,
    v.stock_hours_mc_error,
    v.usable_hours_p05,
    v.usable_hours_p50,
    v.usable_hours_p95,
    v.usable_hours_mc_error,
    e.basis,
    e.n_observations,
    e.last_counted_on,
    (t.is_in_totals and (shown.scenario_id != 'official_only' or e.n_observations > 0))
    or (t.is_prior_only and shown.scenario_id = 'with_prior_only_platforms') as is_in_totals,
    e.citation_ids,
    e.assumption_ids
from shown
inner join intermediate.int_platform__volume_quantiles as v on shown.evidence_scenario_id = v.scenario_id
inner join intermediate.int_platform__evidence as e
    on v.platform_id = e.platform_id and v.month = e.month and v.scenario_id = e.scenario_id
inner join staging.stg_reference__platforms as p on v.platform_id = p.platform_id
inner join intermediate.int_platform__total as t on v.platform_id = t.platform_id
order by v.platform_id, v.month, shown.scenario_id
