/*---
description: The headline's statistic, p and effect are the same in moat_test and in moat_association.
severity: critical
---*/

select
    tests.board_id,
    tests.captured_on,
    tests.spearman,
    found.value,
    tests.p_permutation as p_in_test,
    found.p_permutation as p_in_association
from marts.moat_test as tests
full outer join marts.moat_association as found
    on tests.board_id = found.board_id and tests.captured_on = found.captured_on
where
    coalesce(found.is_headline, true)
    and (
        tests.board_id is null
        or found.board_id is null
        or abs(tests.spearman - found.value) > 1e-12
        or abs(tests.p_permutation - found.p_permutation) > 1e-12
        or abs(tests.effect_p50 - found.effect_p50) > 1e-12
    )
