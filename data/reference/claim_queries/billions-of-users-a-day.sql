with short as (
    select distinct platform_id
    from marts.platform_volume
    where scenario_id = 'baseline' and platform_class = 'short' and basis <> 'prior_only'
),

newest as (
    select
        found.platform_id,
        found.value as n_users,
        found.period_end_on
    from marts.platform_observation as found
    inner join short on found.platform_id = short.platform_id
    where
        found.metric = 'daily_active_users'
        and found.verification <> 'UNVERIFIED'
        and found.value is not null
    qualify row_number() over (
        partition by found.platform_id
        order by found.period_end_on desc, found.value desc, found.fact_id asc
    ) = 1
),

seen as (
    select
        (select count(*) from short) as n_short,
        count(*) as n_platforms,
        max(n_users) as largest,
        sum(n_users::decimal(38, 3))::double as all_of_them,
        string_agg(
            platform_id || ' ' || round(n_users / 1e6, 0)::integer || ' million (' || strftime(period_end_on, '%Y-%m') || ')', ', '
            order by n_users desc, platform_id asc
        ) as stated
    from newest
)

select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    case
        when n_platforms = 0 then 'no_data'
        when largest >= 2e9 then 'true'
        when n_platforms = n_short and all_of_them < 2e9 then 'false'
        else 'cannot_tell'
    end as verdict,
    n_platforms || ' of ' || n_short || ' short-video platforms state daily users: ' || coalesce(stated, 'none')
    || '; ' || coalesce(round(all_of_them / 1e6, 0)::integer, 0) || ' million together, overlap unknown' as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
