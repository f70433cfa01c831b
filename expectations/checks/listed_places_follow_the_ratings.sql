/*---
description: Where Artificial Analysis lists places, a higher rating never has a worse place; otherwise rows were mixed in transcription or two fits in one board.
severity: critical
---*/

select
    higher.board_id,
    higher.captured_on,
    higher.entry_name,
    higher.rating,
    higher.listed_rank,
    lower.entry_name as entry_name_below,
    lower.rating as rating_below,
    lower.listed_rank as listed_rank_below
from marts.leaderboard as higher
inner join marts.leaderboard as lower
    on
        higher.board_id = lower.board_id
        and higher.captured_on = lower.captured_on
        and higher.rating > lower.rating
        and higher.listed_rank > lower.listed_rank
where higher.board_id like 'aa_%'
