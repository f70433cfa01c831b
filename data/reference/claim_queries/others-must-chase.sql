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

may as (
    select
        board_id,
        max(captured_on) as captured_on,
        arg_max(leader_company_id, captured_on) as company_id
    from days
    where leader_company_id is not null and captured_on between date '2026-05-01' and date '2026-05-31'
    group by board_id
)

select
    days.board_id,
    days.captured_on,
    case
        when days.leader_company_id is null then 'no_data'
        when may.company_id is null then 'not_testable'
        when days.leader_company_id = may.company_id then 'true'
        else 'false'
    end as verdict,
    case
        when days.leader_company_id is null then 'no complete capture that day: ' || days.status
        when may.company_id is null then 'no leader is held for May 2026'
        else days.leader_company_id || ' leads; ' || may.company_id || ' led on ' || may.captured_on
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from days
left join may on days.board_id = may.board_id
where days.captured_on > date '2026-05-31'
order by days.board_id, days.captured_on
