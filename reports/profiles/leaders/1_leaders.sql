/*---
description: Who led each board on that day; a board without a capture in the 14 days before is left out
---*/
select
    board_id,
    captured_on,
    status,
    leader_entry_name,
    leader_company_id,
    round(leader_rating, 0) as leader_rating,
    n_leaders
from marts.leaders_on(getvariable('date'))
order by board_id
