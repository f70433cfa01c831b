with newest as (
    select
        company_id,
        month,
        first_party_videos_per_day_p05 as p05,
        first_party_videos_per_day_p50 as p50,
        first_party_videos_per_day_p95 as p95
    from marts.company_volume
    where
        scenario_id = 'baseline'
        and company_id in ('bytedance', 'kuaishou', 'google', 'meta')
        and month = (select max(month) from marts.company_volume)
),

seen as (
    select
        max(month) as month,
        max(p05) filter (where company_id = 'bytedance') as ours_low,
        max(p95) filter (where company_id = 'bytedance') as ours_high,
        max(p05) filter (where company_id in ('google', 'meta')) as theirs_low,
        max(p95) filter (where company_id in ('google', 'meta')) as theirs_high,
        string_agg(
            company_id || ' ' || round(p50 / 1e6, 1 - floor(log10(p50 / 1e6))::integer)::integer || ' million ('
            || round(p05 / 1e6, 1 - floor(log10(p05 / 1e6))::integer)::integer || ' to '
            || round(p95 / 1e6, 1 - floor(log10(p95 / 1e6))::integer)::integer || ')',
            '; ' order by company_id
        ) as compared
    from newest
)

select
    'no_board' as board_id,
    month as captured_on,
    case
        when theirs_low > ours_high then 'false'
        when theirs_high < ours_low then 'true'
        else 'cannot_tell'
    end as verdict,
    'videos a day in ' || strftime(month, '%B %Y') || ': ' || compared as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
