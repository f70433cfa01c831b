with seen as (
    select
        month,
        upload_hours_per_day_p05 as low,
        upload_hours_per_day_p50 as middle,
        upload_hours_per_day_p95 as high
    from marts.platform_volume
    where platform_id = 'youtube' and scenario_id = 'baseline' and month = date '2026-05-01'
)

select
    'no_board' as board_id,
    month as captured_on,
    case when low > 720000.0 or high < 720000.0 then 'false' else 'cannot_tell' end as verdict,
    round(middle / 1e6, 1) || ' million hours a day in ' || strftime(month, '%B %Y') || ' (90 %: '
    || round(low / 1e6, 1) || ' to ' || round(high / 1e6, 1)
    || '); the claim gives ' || round(720000.0 / 1e6, 2) as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
