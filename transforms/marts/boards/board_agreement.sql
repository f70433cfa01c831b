/*---
description: How far two video boards order the models they share alike, on each day one of them changed and the other was at most 14 days old.
grain: [board_a, board_b, captured_on]
nullable: [spearman, kendall]
caveats:
  - Each model counts once a board, by its best entry. Boards share votes' styles and models, so agreement is not independent confirmation.
  - Empty below three shared models.
---*/

select
    board_a,
    board_b,
    captured_on,
    n_shared,
    n_confirmed,
    spearman,
    kendall,
    n_only_a,
    n_only_b
from intermediate.int_board__agreement
