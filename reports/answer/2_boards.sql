/*---
description: The four primary boards, newest complete reading of the quarter
---*/

select
    tests.board_id as board,
    tests.captured_on as day,
    tests.n_companies as companies,
    tests.n_with_platform as owners,
    round(tests.spearman, 2) as correlation,
    round(tests.p_permutation, 3) as p,
    round(tests.effect_p05, 2) || ' to ' || round(tests.effect_p95, 2) as corrected_90,
    round(tests.partial_spearman, 2) as after_date_and_openness,
    round(short.value, 2) as short_video_only,
    round(tests.worst_p_without_one, 3) as worst_p_without_one,
    round(tests.power_at_half, 2) as power_at_half,
    tests.verdict
from marts.moat_test as tests
inner join marts.moat_association as short
    on
        tests.board_id = short.board_id
        and tests.captured_on = short.captured_on
        and short.definition_id = 'short-usable-hours'
where
    list_contains((
        select boards_read from marts.moat_answer
        where quarter_on = (select max(quarter_on) from marts.moat_answer)
    ), tests.board_id || ' ' || tests.captured_on)
order by tests.board_id
