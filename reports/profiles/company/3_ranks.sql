/*---
description: Its best model on the newest complete capture of each video board
---*/
select
    newest.board_id,
    newest.captured_on,
    entries.entry_name,
    entries.rank,
    newest.n_ranked,
    round(entries.rating, 0) as rating,
    round(entries.rating_low, 0) as rating_low,
    round(entries.rating_high, 0) as rating_high
from marts.board_status as newest
inner join marts.leaderboard as entries
    on newest.board_id = entries.board_id and newest.board_read_on = entries.captured_on
where
    newest.is_latest_usable
    and newest.board_family = 'video'
    and entries.company_id = getvariable('company_id')
    and entries.rank is not null
qualify row_number() over (partition by newest.board_id order by entries.rank, entries.entry_key) = 1
order by newest.board_id
