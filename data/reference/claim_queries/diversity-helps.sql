select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    'not_testable' as verdict,
    count(*) || ' disclosed quantities are held, and none of them measures diversity' as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from marts.training_disclosure
