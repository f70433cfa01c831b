/*---
description: Models of the register that a video board does not rank, from when to when and why.
grain: [board_id, model_id, missing_from]
nullable: [missing_to, last_seen_on, last_entry_name, last_rank, last_rating, last_scale_id]
caveats:
  - never_listed means that no complete or partial capture we hold lists it, while another board of the same task does.
  - missing_to is the last capture without it, empty while it is still missing.
---*/

select
    board_id,
    model_id,
    missing_from,
    missing_to,
    reason,
    last_seen_on,
    last_entry_name,
    last_rank,
    last_rating,
    last_scale_id
from intermediate.int_board__missing_entry
