with stated as (
    select max(value) as hours_stated
    from marts.training_disclosure
    where
        model_id = 'seedance-2-0'
        and quantity = 'hours'
        and verification <> 'UNVERIFIED'
        and source_kind in ('official_statement', 'paper', 'filing', 'official_file')
)

select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    case
        when hours_stated is null then 'no_data'
        when abs(hours_stated * 60 / 1e8 - 1) < 0.1 then 'true'
        else 'false'
    end as verdict,
    case
        when hours_stated is null then 'its report gives no volume'
        else 'its report gives ' || round(hours_stated, 0) || ' hours'
    end as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from stated
