with days as (
    select
        board_id,
        captured_on,
        status,
        leader_entry_name,
        leader_company_id
    from marts.board_status
    where board_id not in (select board_id from marts.moat_test where board_role = 'control')
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status not in ('ok', 'unchanged') then 'no_data'
        when found.verdict = 'supported' then 'true'
        when found.verdict = 'not_supported' then 'false'
        else 'cannot_tell'
    end as verdict,
    case
        when days.status not in ('ok', 'unchanged') then case
        when days.status = 'partial' then 'a partial list that day'
        else 'no usable board that day: ' || days.status
    end
        else coalesce(found.verdict_text, 'nothing computed')
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from days
left join marts.moat_test as found
    on
        days.board_id = found.board_id
        and days.captured_on = found.captured_on
        and days.status in ('ok', 'unchanged')
order by days.board_id, days.captured_on
