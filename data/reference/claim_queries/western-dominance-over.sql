with days as (
    select
        board_id,
        captured_on,
        status,
        leader_entry_name,
        leader_company_id
    from marts.board_status
    where board_family = 'video'
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
        coalesce(countries.country = 'US', false) as is_american,
        coalesce(
            lead(days.captured_on) over (partition by days.board_id order by days.captured_on), date '2026-06-01'
        ) as stands_until
    from days
    left join countries on days.leader_company_id = countries.company_id
    where days.leader_entry_name is not null and days.captured_on < date '2026-06-01'
),

counted as (
    select
        board_id,
        max(captured_on) filter (where captured_on >= date '2026-05-01') as last_in_may,
        min(captured_on) as first_on,
        count(*) filter (where captured_on < date '2026-05-01') as n_captures_before,
        count(*) filter (where captured_on >= date '2026-05-01') as n_captures_in_may,
        count(*) filter (where captured_on >= date '2026-05-01' and is_american) as n_american_in_may,
        sum(least(stands_until, date '2026-05-01') - captured_on) filter (where captured_on < date '2026-05-01')
            as n_days_before,
        coalesce(sum(least(stands_until, date '2026-05-01') - captured_on) filter (
            where captured_on < date '2026-05-01' and is_american
        ), 0) as n_american_days_before
    from leaders
    group by board_id
)

select
    boards.board_id,
    coalesce(counted.last_in_may, date '2026-05-31') as captured_on,
    case
        when coalesce(counted.n_captures_before, 0) = 0 or coalesce(counted.n_captures_in_may, 0) = 0 then 'no_data'
        when 2 * counted.n_american_days_before > counted.n_days_before and counted.n_american_in_may = 0 then 'true'
        else 'false'
    end as verdict,
    case
        when coalesce(counted.n_captures_before, 0) = 0 or coalesce(counted.n_captures_in_may, 0) = 0
            then 'no leader is held before May 2026, or none in it'
        else 'an American company led for ' || counted.n_american_days_before || ' of ' || counted.n_days_before
            || ' days from ' || counted.first_on || ' to April 2026 (' || counted.n_captures_before
            || ' captures, each valid until the next), and on ' || counted.n_american_in_may || ' of '
            || counted.n_captures_in_may || ' captures in May'
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from (select distinct board_id from days) as boards
left join counted on boards.board_id = counted.board_id
order by boards.board_id
