/*---
description: The leaderboards we follow, one row each.
grain: [board_id]
nullable: [has_audio]
---*/

select
    board_id,
    source_id,
    family as board_family,
    task,
    title,
    scale_kind,
    has_audio,
    url
from raw.reference__boards
