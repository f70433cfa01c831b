/*---
description: >
  The part each board plays in the verdict, as fixed in decision 0010: four primary boards, others of video, and controls where video cannot help.
grain: [board_id]
---*/

select
    board_id,
    board_family,
    case
        when board_family <> 'video' then 'control'
        when
            board_id in ('aa_text_to_video', 'aa_image_to_video', 'arena_text_to_video', 'arena_image_to_video')
            then 'primary'
        else 'secondary'
    end as board_role
from staging.stg_reference__boards
