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

placed as (
    select
        board_id,
        captured_on,
        max(company_rank) filter (where company_id = 'bytedance') as bytedance_rank,
        max(company_rank) filter (where company_id = 'kuaishou') as kuaishou_rank,
        max(company_rank) filter (where company_id = 'runway') as their_rank,
        min(best_rating) filter (where company_id in ('bytedance', 'kuaishou')) as ours,
        arg_min(best_rating_se, best_rating) filter (where company_id in ('bytedance', 'kuaishou')) as our_se,
        max(best_rating) filter (where company_id = 'runway') as theirs,
        max(best_rating_se) filter (where company_id = 'runway') as their_se
    from marts.company_moat
    where scenario_id = 'baseline'
    group by board_id, captured_on
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status not in ('ok', 'unchanged') then 'no_data'
        when placed.bytedance_rank is null or placed.kuaishou_rank is null or placed.their_rank is null then 'not_testable'
        when placed.ours = placed.theirs then 'cannot_tell'
        when placed.ours > placed.theirs then 'true'
        else 'false'
    end as verdict,
    case
        when days.status not in ('ok', 'unchanged') then case
        when days.status = 'partial' then 'a partial list that day'
        else 'no complete capture that day: ' || days.status
    end
        else 'places among companies: ByteDance ' || coalesce(placed.bytedance_rank::varchar, 'absent')
            || ', Kuaishou ' || coalesce(placed.kuaishou_rank::varchar, 'absent')
            || ', Runway ' || coalesce(placed.their_rank::varchar, 'absent')
    end as evidence,
    case
        when placed.bytedance_rank is not null and placed.kuaishou_rank is not null then placed.ours - placed.theirs
    end as gap_to_leader,
    case
        when placed.bytedance_rank is not null and placed.kuaishou_rank is not null
            then abs(placed.ours - placed.theirs)
                > 1.96 * sqrt(placed.our_se * placed.our_se + placed.their_se * placed.their_se)
    end as gap_exceeds_interval
from days
left join placed
    on days.board_id = placed.board_id and days.captured_on = placed.captured_on and days.status in ('ok', 'unchanged')
order by days.board_id, days.captured_on
