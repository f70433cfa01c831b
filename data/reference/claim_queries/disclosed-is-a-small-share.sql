with stated as (
    select disclosed_to_available_ratio_p50 as ratio
    from marts.training_disclosure
    where disclosed_to_available_ratio_p50 is not null
),

seen as (
    select
        count(*) as n_stated,
        avg(case when ratio < 0.1 then 1 else 0 end) as share_below,
        count(*) filter (where ratio < 0.1) as n_below,
        median(ratio) as middle
    from stated
)

select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    case
        when n_stated = 0 then 'no_data'
        when share_below >= 0.9 then 'true'
        when share_below <= 0.1 then 'false'
        else 'cannot_tell'
    end as verdict,
    case
        when n_stated = 0 then 'no value can be compared'
        else n_stated || ' values, median ratio ' || round(middle, 3) || '; below one tenth are ' || n_below
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
