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

ranked as (
    select
        board_id,
        captured_on,
        max(rating) filter (where model_id like 'kling-3-0-%') as kling,
        max(rating) filter (where model_id = 'seedance-2-0') as seedance,
        max(rating) filter (where not coalesce(model_id like 'kling-3-0-%' or model_id = 'seedance-2-0', false)) as others,
        arg_max((rating_high - rating_low) / 3.92, rating) filter (
            where not coalesce(model_id like 'kling-3-0-%' or model_id = 'seedance-2-0', false)
        ) as others_se,
        max((rating_high - rating_low) / 3.92) filter (where model_id like 'kling-3-0-%' or model_id = 'seedance-2-0') as our_se,
        min(rank) filter (where model_id like 'kling-3-0-%') as kling_rank,
        min(rank) filter (where model_id = 'seedance-2-0') as seedance_rank
    from marts.leaderboard
    where rank is not null
    group by board_id, captured_on
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status not in ('ok', 'unchanged') then 'no_data'
        when ranked.kling is null or ranked.seedance is null then 'not_testable'
        when least(ranked.kling, ranked.seedance) = ranked.others then 'cannot_tell'
        when least(ranked.kling, ranked.seedance) > ranked.others then 'true'
        else 'false'
    end as verdict,
    case
        when days.status not in ('ok', 'unchanged') then case
        when days.status = 'partial' then 'a partial list that day'
        else 'no complete capture that day: ' || days.status
    end
        else 'best ranks: Kling 3.0 ' || coalesce(ranked.kling_rank::varchar, 'absent')
            || ', Seedance 2.0 ' || coalesce(ranked.seedance_rank::varchar, 'absent')
    end as evidence,
    case when days.status in ('ok', 'unchanged') then least(ranked.kling, ranked.seedance) - ranked.others end as gap_to_leader,
    case when days.status in ('ok', 'unchanged') then
        abs(least(ranked.kling, ranked.seedance) - ranked.others)
        > 1.96 * sqrt(ranked.our_se * ranked.our_se + ranked.others_se * ranked.others_se)
    end as gap_exceeds_interval
from days
left join ranked on days.board_id = ranked.board_id and days.captured_on = ranked.captured_on
order by days.board_id, days.captured_on
