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
),

gaps as (
    select
        board_id,
        captured_on,
        chinese - american as gap,
        sqrt(chinese_se * chinese_se + american_se * american_se) as gap_se,
        row_number() over (partition by board_id, scale_id order by captured_on) as place,
        first_value(chinese - american) over (partition by board_id, scale_id order by captured_on) as first_gap,
        first_value(sqrt(chinese_se * chinese_se + american_se * american_se)) over (
            partition by board_id, scale_id order by captured_on
        ) as first_se
    from nations
    where chinese is not null and american is not null
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status not in ('ok', 'unchanged') then 'no_data'
        when gaps.gap is null or gaps.place = 1 then 'not_testable'
        when gaps.gap <= 0 then 'false'
        when gaps.gap = gaps.first_gap then 'cannot_tell'
        when gaps.gap > gaps.first_gap then 'true'
        else 'false'
    end as verdict,
    case
        when days.status not in ('ok', 'unchanged') then case
        when days.status = 'partial' then 'a partial list that day'
        else 'no complete capture that day: ' || days.status
    end
        when gaps.gap is null then 'one side is absent'
        when gaps.place = 1 then 'the first complete board of this scale: nothing to compare with'
        else 'Chinese less American: ' || round(gaps.gap, 1) || ' points, ' || round(gaps.first_gap, 1)
            || ' on the first complete board of this scale'
    end as evidence,
    gaps.gap as gap_to_leader,
    case when gaps.place > 1 then
        abs(gaps.gap - gaps.first_gap) > 1.96 * sqrt(gaps.gap_se * gaps.gap_se + gaps.first_se * gaps.first_se)
    end as gap_exceeds_interval
from days
left join gaps
    on days.board_id = gaps.board_id and days.captured_on = gaps.captured_on and days.status in ('ok', 'unchanged')
order by days.board_id, days.captured_on
