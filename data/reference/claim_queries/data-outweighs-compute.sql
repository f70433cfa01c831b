with newest as (
    select
        board_id,
        max(captured_on) as captured_on
    from marts.board_status
    where is_latest_usable and board_id in ('aa_image_to_video', 'aa_text_to_video', 'arena_image_to_video', 'arena_text_to_video')
    group by board_id
),

standing as (
    select distinct
        companies.company_id,
        companies.best_model_id as model_id
    from marts.company_moat as companies
    inner join newest on companies.board_id = newest.board_id and companies.captured_on = newest.captured_on
    where companies.scenario_id = 'baseline'
),

disclosed as (
    select
        standing.company_id,
        bool_or(stated.quantity in ('training_flop', 'gpu_hours') and stated.value is not null) as has_compute,
        bool_or(stated.quantity in ('hours', 'clips', 'videos') and stated.value is not null) as has_data
    from standing
    left join marts.training_disclosure as stated
        on standing.model_id = stated.model_id and stated.verification <> 'UNVERIFIED'
    group by standing.company_id
)

select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    case when count(*) filter (where has_compute and has_data) < 8 then 'not_testable' else 'cannot_tell' end as verdict,
    'of ' || count(*) || ' companies on the newest primary boards, their best models disclose: compute '
    || count(*) filter (where has_compute) || ', data ' || count(*) filter (where has_data)
    || ', both ' || count(*) filter (where has_compute and has_data) || '; talent is in no table' as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from disclosed
