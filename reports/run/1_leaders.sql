/*---
description: Who leads each video board, on its newest complete capture
---*/
select
    board_id,
    captured_on,
    leader_entry_name,
    leader_company_id,
    leader_rating
from marts.board_status
where is_latest_usable and board_family = 'video'
order by board_id
