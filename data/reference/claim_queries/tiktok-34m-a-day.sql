with seen as (
    select
        month,
        uploads_per_day_p05 as low,
        uploads_per_day_p50 as middle,
        uploads_per_day_p95 as high
    from marts.platform_volume
    where platform_id = 'tiktok' and scenario_id = 'baseline' and month = date '2026-05-01'
)

select
    'no_board' as board_id,
    month as captured_on,
    case when low > 34e6 or high < 34e6 then 'false' else 'cannot_tell' end as verdict,
    round(middle / 1e6, 1) || ' million videos a day (90 %: ' || round(low / 1e6, 1) || ' to ' || round(high / 1e6, 1)
    || '); the claim gives ' || round(34e6 / 1e6, 2) as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
