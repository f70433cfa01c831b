/*---
description: The verdict of each board is what decision 0010 says of the figures in the same row, worked out again from them.
severity: critical
---*/

with said as (
    select
        board_id,
        captured_on,
        verdict,
        case
            when
                n_companies < 8
                or n_with_platform < 2
                or spearman is null
                or volume_reliability < 0.4
                or effect_p05 is null
                then 'cannot_tell'
            when
                spearman > 0
                and p_permutation < 0.05
                and effect_p05 > 0
                and worst_p_without_one <= 0.1
                and partial_spearman >= spearman * 2 / 3
                then 'supported'
            when effect_p95 < 0.3 then 'not_supported'
            when spearman > 0 and p_permutation < 0.05 and partial_spearman < spearman / 3 then 'not_supported'
            else 'cannot_tell'
        end as verdict_again
    from marts.moat_test
)

select
    board_id,
    captured_on,
    verdict,
    verdict_again
from said
where verdict <> verdict_again
