with stated as (
    select
        stage_kind = 'raw' as is_raw,
        disclosed_to_available_ratio_p50 as ratio
    from marts.training_disclosure
    where disclosed_to_available_ratio_p50 is not null
),

seen as (
    select
        count(*) as n_stated,
        avg(case when ratio < 0.1 then 1 else 0 end) as share_below,
        median(ratio) as middle,
        count(*) filter (where is_raw) as n_raw,
        count(*) filter (where is_raw and ratio < 0.1) as n_raw_below,
        count(*) filter (where not is_raw) as n_sets,
        count(*) filter (where not is_raw and ratio < 0.1) as n_sets_below
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
        else n_stated || ' values, median ratio ' || round(middle, 3) || '; below one tenth are ' || n_sets_below || ' of '
            || n_sets || ' sets trained on and ' || n_raw_below || ' of ' || n_raw || ' raw pools'
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
