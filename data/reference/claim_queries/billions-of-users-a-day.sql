with short as (
    select distinct platform_id
    from marts.platform_volume
    where platform_class = 'short' and is_in_totals
),

newest as (
    select
        found.platform_id,
        arg_max(found.value, found.period_end_on) as n_users
    from marts.platform_observation as found
    inner join short on found.platform_id = short.platform_id
    where
        found.metric = 'daily_active_users'
        and found.verification <> 'UNVERIFIED'
        and found.value is not null
    group by found.platform_id
),

seen as (
    select
        count(*) as n_platforms,
        max(n_users) as largest,
        sum(n_users::decimal(38, 3))::double as all_of_them
    from newest
)

select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    case
        when n_platforms = 0 then 'no_data'
        when largest >= 2e9 then 'true'
        when all_of_them < 1e9 then 'false'
        else 'cannot_tell'
    end as verdict,
    n_platforms || ' platforms state daily users: largest ' || round(largest / 1e6, 0) || ' million, sum '
    || round(all_of_them / 1e6, 0) || ' million, overlap unknown; the others state none' as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
