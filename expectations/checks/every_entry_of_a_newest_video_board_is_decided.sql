/*---
description: A person has decided what each entry of the newest complete board of each video arena means; a new entry waits for one.
severity: warning
---*/

select
    entries.board_id,
    entries.captured_on,
    entries.entry_key,
    entries.entry_name,
    entries.creator_name,
    entries.match_status
from marts.leaderboard as entries
inner join marts.board_status as days
    on entries.board_id = days.board_id and entries.captured_on = days.captured_on and days.is_latest_usable
inner join staging.stg_reference__boards as boards
    on entries.board_id = boards.board_id and boards.board_family = 'video' and boards.scale_kind = 'fitted_rating'
where entries.model_id like 'unmatched:%'
