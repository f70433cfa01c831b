/*---
description: The newest complete capture of a board on or before a day, if it is not older than the limit; otherwise nothing. `from marts.as_of_board('aa_text_to_video', date '2026-05-14')`.
---*/

create or replace macro marts.as_of_board(which_board, on_date, max_age_n_days := 14) as table
select leaderboard.*
from marts.leaderboard as leaderboard
where
    leaderboard.board_id = which_board
    and leaderboard.captured_on = (
        select max(days.board_read_on)
        from marts.board_status as days
        where
            days.board_id = which_board
            and days.status in ('ok', 'unchanged')
            and days.captured_on <= on_date
            and days.captured_on >= on_date - cast(max_age_n_days as integer)
    )
order by leaderboard.rank nulls last, leaderboard.entry_name
