/*---
description: On a complete board the leader is the ranked entry with the highest rating, and nobody ranked is above it.
severity: critical
---*/

select
    days.board_id,
    days.captured_on,
    days.leader_entry_name,
    days.leader_rating,
    max(entries.rating) as highest_rating
from marts.board_status as days
inner join marts.leaderboard as entries
    on days.board_id = entries.board_id and days.captured_on = entries.captured_on and entries.is_ranked
group by days.board_id, days.captured_on, days.leader_entry_name, days.leader_rating
having days.leader_rating is distinct from max(entries.rating)
