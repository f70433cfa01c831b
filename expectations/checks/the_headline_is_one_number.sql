/*---
description: The headline's statistic, p and effect are the same in moat_test and in moat_association, and what is left after controls is the same in moat_test and in confounder.
severity: critical
---*/

select
    tests.board_id,
    tests.captured_on,
    tests.spearman,
    found.value,
    tests.p_permutation as p_in_test,
    found.p_permutation as p_in_association,
    tests.partial_spearman,
    held.partial_date_open
from marts.moat_test as tests
full outer join marts.moat_association as found
    on tests.board_id = found.board_id and tests.captured_on = found.captured_on
left join marts.confounder as held
    on
        found.board_id = held.board_id
        and found.captured_on = held.captured_on
        and found.definition_id = held.definition_id
where
    coalesce(found.is_headline, true)
    and (
        tests.board_id is null
        or found.board_id is null
        or abs(tests.spearman - found.value) > 1e-12
        or abs(tests.p_permutation - found.p_permutation) > 1e-12
        or abs(tests.effect_p50 - found.effect_p50) > 1e-12
        or tests.partial_spearman is distinct from held.partial_date_open
        or tests.p_partial is distinct from held.p_partial_date_open
    )
