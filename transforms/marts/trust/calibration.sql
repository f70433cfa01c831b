/*---
description: >
  How often our intervals covered the truth: every statistic of a platform predicted from other platforms
  (leave_one_platform_out), every statistic predicted from all others (leave_one_out), statistics predicted from those known
  before (later_statistics), and truths of simulated data sets (simulated, summed up by kind). covered_50 and covered_90 are shares;
  for a single statistic they are 0 or 1.
grain: [quantity, held_out]
nullable: [fact_id, platform_id, known_until, issued_p05, issued_p50, issued_p95, truth, rmse, mean_sd]
rows: {min: 100}
caveats:
  - Left-out statistics are predicted with their own noise, so that these rows test statistics, not the volumes behind them; only
    simulated data sets test those.
  - Of a platform that is left out, user counts stay known; all its statistics of volume and length are hidden at once.
  - A statistic counts once as a later one, predicted from what was known at the end of the year before it.
  - Simulated data sets share the model's form except for what their kind breaks. They are drawn from the priors of the day they were
    simulated (make calibrate); an assumption edited since does not change them.
---*/

with left_out as (
    select
        f.fact_id,
        'leave_one_out' as held_out_by,
        null::date as known_until,
        f.left_out_log_mean as log_mean,
        f.left_out_log_sd as log_sd
    from intermediate.int_platform__observation_fit as f
    where f.left_out_z is not null
    union all
    select
        h.fact_id,
        h.held_out_by,
        h.known_until,
        h.predicted_log_mean as log_mean,
        h.predicted_log_sd as log_sd
    from intermediate.int_volume__held_out as h
),

predicted as (
    select
        u.observation_kind as quantity,
        l.held_out_by || ':' || l.fact_id as held_out,
        l.held_out_by,
        l.fact_id,
        u.platform_id,
        l.known_until,
        l.log_mean,
        l.log_sd,
        u.log_value,
        (u.log_value - l.log_mean) / l.log_sd as z
    from left_out as l
    inner join intermediate.int_platform__observation_use as u on l.fact_id = u.fact_id
)

select
    quantity,
    held_out,
    held_out_by,
    fact_id,
    platform_id,
    known_until,
    exp(log_mean - 1.6448536269514722 * log_sd) as issued_p05,
    exp(log_mean) as issued_p50,
    exp(log_mean + 1.6448536269514722 * log_sd) as issued_p95,
    exp(log_value) as truth,
    1::bigint as n_truths,
    case when abs(z) <= 0.6744897501960817 then 1.0::double else 0.0::double end as covered_50,
    case when abs(z) <= 1.6448536269514722 then 1.0::double else 0.0::double end as covered_90,
    -0.5 * z * z - ln(log_sd) - 0.9189385332046727 as log_score,
    null::double as rmse,
    log_sd as mean_sd
from predicted
union all
select
    quantity,
    'simulated:' || simulation_kind as held_out,
    'simulated' as held_out_by,
    null::varchar as fact_id,
    null::varchar as platform_id,
    null::date as known_until,
    null::double as issued_p05,
    null::double as issued_p50,
    null::double as issued_p95,
    null::double as truth,
    n_truths,
    covered_50_share as covered_50,
    covered_90_share as covered_90,
    log_score,
    rmse,
    mean_sd
from staging.stg_reference__calibration_simulations
order by held_out, quantity
