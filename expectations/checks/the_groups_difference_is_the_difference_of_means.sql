/*---
description: The contrast of platform owners and the rest is the difference of mean ratings of the companies in company_moat.
severity: critical
---*/

with means as (
    select
        board_id,
        captured_on,
        avg(best_rating) filter (where has_platform) - avg(best_rating) filter (where not has_platform) as difference
    from marts.company_moat
    where scenario_id = 'baseline'
    group by board_id, captured_on
)

select
    found.board_id,
    found.captured_on,
    found.value,
    means.difference
from marts.moat_association as found
inner join means on found.board_id = means.board_id and found.captured_on = means.captured_on
where found.definition_id = 'has-platform-difference' and abs(found.value - means.difference) > 1e-6
