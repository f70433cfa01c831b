/*---
description: Captures of the boards that people transcribed, one row each, with what kind of response each was.
grain: [capture_id]
nullable: [n_listed, board_published_on, note]
---*/

select
    capture_id,
    board_id,
    captured_on,
    route,
    status as capture_status,
    n_listed::integer as n_listed,
    board_published_on,
    verification,
    citation_id,
    note
from raw.reference__leaderboard_captures
