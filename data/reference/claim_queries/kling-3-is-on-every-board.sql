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

listed as (
    select
        board_id,
        captured_on,
        min(rank) as best_rank
    from marts.leaderboard
    where model_id like 'kling-3-0-%' and rank is not null
    group by board_id, captured_on
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status not in ('ok', 'unchanged') then 'no_data'
        when days.captured_on < (
            select min(released_on) from marts.leaderboard where model_id like 'kling-3-0-%'
        ) then 'not_testable'
        when listed.best_rank is not null then 'true'
        else 'false'
    end as verdict,
    case
        when days.status not in ('ok', 'unchanged') then case
        when days.status = 'partial' then 'a partial list that day'
        else 'no complete capture that day: ' || days.status
    end
        when listed.best_rank is not null then 'at place ' || listed.best_rank
        else 'not ranked'
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from days
left join listed on days.board_id = listed.board_id and days.captured_on = listed.captured_on
order by days.board_id, days.captured_on
