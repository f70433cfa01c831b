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

leaders as (
    select
        board_id,
        captured_on,
        bool_or(owns_platform) as is_led_by_owner,
        min(company_name) as company_name,
        list(company_id) as company_ids
    from marts.company_moat
    where scenario_id = 'baseline' and company_rank = 1
    group by board_id, captured_on
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status not in ('ok', 'unchanged') then 'no_data'
        when not coalesce(list_contains(leaders.company_ids, days.leader_company_id), false) then 'not_testable'
        when leaders.is_led_by_owner then 'true'
        else 'false'
    end as verdict,
    case
        when days.status not in ('ok', 'unchanged') then case
        when days.status = 'partial' then 'a partial list that day'
        else 'no complete capture that day: ' || days.status
    end
        when not coalesce(list_contains(leaders.company_ids, days.leader_company_id), false)
            then 'the company of the first entry is unknown'
        else leaders.company_name || ' leads'
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from days
left join leaders
    on days.board_id = leaders.board_id and days.captured_on = leaders.captured_on and days.status in ('ok', 'unchanged')
order by days.board_id, days.captured_on
