with owners as (
    select distinct company_name
    from marts.company_moat
    where scenario_id = 'baseline' and country = 'US' and owns_platform
)

select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    case when count(*) > 0 then 'false' else 'true' end as verdict,
    'American companies on a board that own a video platform: '
    || coalesce(string_agg(company_name, ', ' order by company_name), 'none') as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from owners
