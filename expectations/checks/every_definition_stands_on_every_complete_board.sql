/*---
description: Each complete board has one row for every definition, in moat_association and in confounder.
severity: critical
---*/

select
    days.board_id,
    days.captured_on,
    definitions.definition_id
from (select distinct
    board_id,
    captured_on
from marts.company_moat) as days
cross join marts.moat_definition as definitions
left join marts.moat_association as found
    on
        days.board_id = found.board_id
        and days.captured_on = found.captured_on
        and definitions.definition_id = found.definition_id
left join marts.confounder as explained
    on
        days.board_id = explained.board_id
        and days.captured_on = explained.captured_on
        and definitions.definition_id = explained.definition_id
where found.definition_id is null or explained.definition_id is null
