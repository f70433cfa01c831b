/*---
description: The scales each board has had and how a new one was detected. Ratings of two scales are never subtracted.
grain: [board_id, scale_id]
nullable: [valid_to, anchor_entry_name, anchor_rating]
caveats:
  - Scale 0 of a board holds early quoted ranks that nothing links to a later board.
  - Arena names no anchor; there only a common move of the shared entries can show a new scale.
---*/

select
    board_id,
    scale_id,
    valid_from,
    valid_to,
    anchor_entry_name,
    anchor_rating,
    detected_by,
    evidence
from intermediate.int_board__scale
