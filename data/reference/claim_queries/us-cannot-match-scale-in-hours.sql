with pairs as (
    select
        case when company_a in ('google', 'meta') then company_a else company_b end as american,
        case when company_a in ('google', 'meta') then company_b else company_a end as chinese,
        month,
        case when company_a in ('google', 'meta') then p_a_greater else 1 - p_a_greater end as p_american_greater
    from marts.company_pair
    where
        measure = 'first_party_hours_per_day'
        and (
            (company_a in ('google', 'meta') and company_b in ('bytedance', 'kuaishou'))
            or (company_b in ('google', 'meta') and company_a in ('bytedance', 'kuaishou'))
        )
),

newest as (
    select *
    from pairs
    where month = (select max(month) from pairs)
),

seen as (
    select
        max(month) as month,
        max(p_american_greater) filter (where chinese = 'bytedance') as best_against_bytedance,
        string_agg(american || ' has more than ' || chinese || ' with probability ' || round(p_american_greater, 2), '; '
            order by american, chinese) as compared
    from newest
)

select
    'no_board' as board_id,
    coalesce(month, (select max(captured_on) from marts.board_status)) as captured_on,
    case
        when best_against_bytedance is null then 'no_data'
        when best_against_bytedance > 0.95 then 'false'
        when best_against_bytedance < 0.05 then 'true'
        else 'cannot_tell'
    end as verdict,
    coalesce(compared, 'no comparison is held') as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
