-- Shorts and Reels are parts of platforms of other classes, which are not in the sum: nothing counts twice.
with short as (
    select platform_id
    from marts.platform_volume
    where month = date '2026-05-01' and scenario_id = 'baseline' and platform_class = 'short' and basis <> 'prior_only'
),

totals as (
    select
        draws.draw,
        sum(draws.uploads_per_day::decimal(38, 3))::double as uploads_per_day
    from marts.platform_volume_draws as draws
    inner join short on draws.platform_id = short.platform_id
    where draws.month = date '2026-05-01'
    group by draws.draw
),

seen as (
    select
        avg(case when uploads_per_day >= 2e9 then 1 else 0 end) as p_two_billion,
        avg(case when uploads_per_day >= 1e9 then 1 else 0 end) as p_one_billion,
        quantile_cont(uploads_per_day, 0.05) as p05,
        quantile_cont(uploads_per_day, 0.5) as p50,
        quantile_cont(uploads_per_day, 0.95) as p95
    from totals
)

select
    'no_board' as board_id,
    date '2026-05-01' as captured_on,
    case when p_two_billion > 0.95 then 'true' when p_two_billion < 0.05 then 'false' else 'cannot_tell' end as verdict,
    round(p50 / 1e6, 1 - floor(log10(p50 / 1e6))::integer)::integer || ' million a day in May 2026 (90 %: '
    || round(p05 / 1e6, 1 - floor(log10(p05 / 1e6))::integer)::integer || ' to '
    || round(p95 / 1e6, 1 - floor(log10(p95 / 1e6))::integer)::integer || ' million); two billion or more in '
    || case
        when p_two_billion >= 0.9995 then '> 99.9' when p_two_billion < 0.0005 then '< 0.1' else round(100 * p_two_billion)::integer::varchar
    end || ' % of draws, one billion in '
    || case
        when p_one_billion >= 0.9995 then '> 99.9' when p_one_billion < 0.0005 then '< 0.1' else round(100 * p_one_billion)::integer::varchar
    end || ' %' as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
