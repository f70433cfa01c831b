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
    round(middle / 1e6, 1 - floor(log10(middle / 1e6))::integer)::integer
    || ' million videos a day in ' || strftime(month, '%B %Y') || ' (90 %: '
    || round(low / 1e6, 1 - floor(log10(low / 1e6))::integer)::integer || ' to '
    || round(high / 1e6, 1 - floor(log10(high / 1e6))::integer)::integer || '); the claim gives 34' as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
