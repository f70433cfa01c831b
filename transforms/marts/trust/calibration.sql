/*---
description: >
  How often our intervals held: every figure predicted from all others (leave_one_out), figures predicted from those known
  years before (later_figures), and truths of made worlds (made_worlds, summed up by kind). covered_50 and covered_90 are
  shares; for a single figure they are 0 or 1.
grain: [quantity, held_out]
nullable: [fact_id, known_until, issued_p05, issued_p50, issued_p95, truth, rmse, mean_sd]
rows: {min: 100}
caveats:
  - Left-out figures are predicted with their own noise, so that these rows test figures, not the volumes behind them; only
    made worlds test those.
  - Made worlds share the model's form except for what their kind breaks.
---*/

with left_out as (
    select
        u.observation_kind as quantity,
        'leave_one_out:' || f.fact_id as held_out,
        'leave_one_out' as held_out_by,
        f.fact_id,
        null::date as known_until,
        f.left_out_log_mean as log_mean,
        f.left_out_log_sd as log_sd,
        u.log_value
    from intermediate.int_platform__observation_fit as f
    inner join intermediate.int_platform__observation_use as u on f.fact_id = u.fact_id
    where f.left_out_z is not null
    union all
    select
        u.observation_kind as quantity,
        'later_figures:' || strftime(h.known_until, '%Y-%m') || ':' || h.fact_id as held_out,
        'later_figures' as held_out_by,
        h.fact_id,
        h.known_until,
        h.predicted_log_mean as log_mean,
        h.predicted_log_sd as log_sd,
        u.log_value
    from intermediate.int_volume__held_out as h
    inner join intermediate.int_platform__observation_use as u on h.fact_id = u.fact_id
)

select
    quantity,
    held_out,
    held_out_by,
    fact_id,
    known_until,
    exp(log_mean - 1.6448536269514722 * log_sd) as issued_p05,
    exp(log_mean) as issued_p50,
    exp(log_mean + 1.6448536269514722 * log_sd) as issued_p95,
    exp(log_value) as truth,
    1::bigint as n_truths,
    case when abs(log_value - log_mean) <= 0.6744897501960817 * log_sd then 1.0::double else 0.0::double end
        as covered_50,
    case when abs(log_value - log_mean) <= 1.6448536269514722 * log_sd then 1.0::double else 0.0::double end
        as covered_90,
    -0.5 * ((log_value - log_mean) / log_sd) * ((log_value - log_mean) / log_sd)
    - ln(log_sd)
    - 0.9189385332046727 as log_score,
    null::double as rmse,
    log_sd as mean_sd
from left_out
union all
select
    quantity,
    'made_worlds:' || world_kind as held_out,
    'made_worlds' as held_out_by,
    null::varchar as fact_id,
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
from staging.stg_reference__calibration_worlds
order by held_out, quantity
