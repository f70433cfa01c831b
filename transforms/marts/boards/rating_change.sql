/*---
description: What happened to an entry between a complete capture of its board and the one before, and the likeliest cause.
grain: [board_id, entry_key, captured_on]
nullable: [previous_entry_name, rating_change, n_votes_change, rank_change, cause]
caveats:
  - Votes are withdrawn as well as added; `votes_removed` and `refit` are moves without new votes behind them.
  - The cause is empty where a rating moved on a board that gives no votes.
---*/

select
    board_id,
    entry_key,
    captured_on,
    previous_on,
    entry_name,
    previous_entry_name,
    rating_change,
    n_votes_change,
    rank_change,
    gap_n_days,
    cause
from intermediate.int_board__change
