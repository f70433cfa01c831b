with paired as (
    select
        draw,
        max(upload_hours_per_day) filter (where platform_id = 'tiktok') as tiktok,
        max(upload_hours_per_day) filter (where platform_id = 'youtube') as youtube
    from marts.platform_volume_draws
    where month = date '2026-05-01' and platform_id in ('tiktok', 'youtube')
    group by draw
),

seen as (
    select
        avg(case when tiktok > youtube then 1 else 0 end) as p_tiktok,
        median(tiktok) as tiktok,
        median(youtube) as youtube
    from paired
)

select
    'no_board' as board_id,
    date '2026-05-01' as captured_on,
    case when p_tiktok > 0.95 then 'true' when p_tiktok < 0.05 then 'false' else 'cannot_tell' end as verdict,
    'TikTok ' || round(tiktok / 1e6, 1) || ', YouTube '
    || round(youtube / 1e6, 1) || ' million hours a day in May 2026; TikTok has more in '
    || case
        when p_tiktok >= 0.9995 then '> 99.9' when p_tiktok < 0.0005 then '< 0.1' else round(100 * p_tiktok)::integer::varchar
    end || ' % of draws' as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
