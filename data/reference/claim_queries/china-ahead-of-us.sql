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

nations as (
    select
        board_id,
        captured_on,
        scale_id,
        max(best_rating) filter (where country = 'CN') as chinese,
        max(best_rating) filter (where country = 'US') as american,
        arg_max(best_rating_se, best_rating) filter (where country = 'CN') as chinese_se,
        arg_max(best_rating_se, best_rating) filter (where country = 'US') as american_se,
        arg_max(best_entry_name, best_rating) filter (where country = 'CN') as chinese_entry,
        arg_max(best_entry_name, best_rating) filter (where country = 'US') as american_entry
    from marts.company_moat
    where scenario_id = 'baseline'
    group by board_id, captured_on, scale_id
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status not in ('ok', 'unchanged') then 'no_data'
        when nations.chinese is null or nations.american is null then 'not_testable'
        when nations.chinese = nations.american then 'cannot_tell'
        when nations.chinese > nations.american then 'true'
        else 'false'
    end as verdict,
    case
        when days.status not in ('ok', 'unchanged') then case
        when days.status = 'partial' then 'a partial list that day'
        else 'no complete capture that day: ' || days.status
    end
        else 'best Chinese entry ' || coalesce(nations.chinese_entry, 'absent')
            || ', best American entry ' || coalesce(nations.american_entry, 'absent')
    end as evidence,
    nations.chinese - nations.american as gap_to_leader,
    abs(nations.chinese - nations.american)
    > 1.96 * sqrt(nations.chinese_se * nations.chinese_se + nations.american_se * nations.american_se) as gap_exceeds_interval
from days
left join nations
    on days.board_id = nations.board_id and days.captured_on = nations.captured_on and days.status in ('ok', 'unchanged')
order by days.board_id, days.captured_on
