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

named as (
    select
        board_id,
        entry_name,
        min(captured_on) as first_on
    from marts.leaderboard
    where model_id = 'seedance-2-0'
    group by board_id, entry_name
),

ranked as (
    select
        board_id,
        captured_on,
        max(rating) filter (where model_id = 'seedance-2-0') as ours,
        max(rating) filter (where not coalesce(model_id = 'seedance-2-0', false)) as theirs,
        max((rating_high - rating_low) / 3.92) filter (where model_id = 'seedance-2-0') as our_se,
        arg_max((rating_high - rating_low) / 3.92, rating) filter (where not coalesce(model_id = 'seedance-2-0', false)) as their_se,
        min(rank) filter (where model_id = 'seedance-2-0') as our_rank
    from marts.leaderboard
    where rank is not null
    group by board_id, captured_on
)

select
    days.board_id,
    days.captured_on,
    case
        when days.status in ('ok', 'unchanged') and ranked.our_rank is null then 'not_testable'
        when days.status in ('ok', 'unchanged') and ranked.ours = ranked.theirs then 'cannot_tell'
        when days.status in ('ok', 'unchanged') and ranked.our_rank = 1 then 'true'
        when days.status in ('ok', 'unchanged') then 'false'
        when days.status = 'partial' and exists (
            select 1 from named
            where named.board_id = days.board_id and named.entry_name = days.leader_entry_name
        ) then 'true'
        when days.status = 'partial' and days.leader_entry_name is not null and exists (
            select 1 from named
            where named.board_id = days.board_id and named.first_on <= days.captured_on
        ) then 'false'
        when days.status = 'partial' then 'not_testable'
        else 'no_data'
    end as verdict,
    case
        when days.status in ('ok', 'unchanged') and ranked.our_rank is null then 'Seedance 2.0 is not on this board'
        when days.status in ('ok', 'unchanged') then 'Seedance 2.0 is at place ' || ranked.our_rank || '; first is ' || days.leader_entry_name
        when days.status = 'partial' then 'partial list; first is ' || coalesce(days.leader_entry_name, 'not named')
        else 'no complete capture that day: ' || days.status
    end as evidence,
    case when days.status in ('ok', 'unchanged') then ranked.ours - ranked.theirs end as gap_to_leader,
    case when days.status in ('ok', 'unchanged') then
        abs(ranked.ours - ranked.theirs) > 1.96 * sqrt(ranked.our_se * ranked.our_se + ranked.their_se * ranked.their_se)
    end as gap_exceeds_interval
from days
left join ranked on days.board_id = ranked.board_id and days.captured_on = ranked.captured_on
order by days.board_id, days.captured_on
