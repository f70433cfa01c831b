with days as (
    select
        board_id,
        captured_on,
        status,
        leader_entry_name,
        leader_company_id
    from marts.board_status
    where board_id not in (select board_id from marts.moat_test where board_role = 'control')
),

countries as (
    select distinct
        company_id,
        country
    from marts.company_moat
),

leaders as (
    select
        days.board_id,
        days.captured_on,
        days.leader_entry_name,
        countries.country = 'US' as is_american
    from days
    inner join countries on days.leader_company_id = countries.company_id
    where days.captured_on < date '2026-06-01'
),

counted as (
    select
        board_id,
        max(captured_on) filter (where captured_on >= date '2026-05-01') as last_in_may,
        min(captured_on) as first_on,
        count(*) filter (where captured_on < date '2026-05-01') as n_before,
        count(*) filter (where captured_on < date '2026-05-01' and is_american) as n_american_before,
        count(*) filter (where captured_on >= date '2026-05-01') as n_in_may,
        count(*) filter (where captured_on >= date '2026-05-01' and is_american) as n_american_in_may
    from leaders
    group by board_id
)

select
    boards.board_id,
    coalesce(counted.last_in_may, date '2026-05-31') as captured_on,
    case
        when coalesce(counted.n_before, 0) = 0 or coalesce(counted.n_in_may, 0) = 0 then 'no_data'
        when 2 * counted.n_american_before > counted.n_before and counted.n_american_in_may = 0 then 'true'
        else 'false'
    end as verdict,
    case
        when coalesce(counted.n_before, 0) = 0 or coalesce(counted.n_in_may, 0) = 0
            then 'no leader is held before May 2026, or none in it'
        else 'an American company led on ' || counted.n_american_before || ' of ' || counted.n_before
            || ' days held from ' || counted.first_on || ' to April 2026, and on ' || counted.n_american_in_may || ' of '
            || counted.n_in_may || ' days held in May'
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from (select distinct board_id from days) as boards
left join counted on boards.board_id = counted.board_id
order by boards.board_id
