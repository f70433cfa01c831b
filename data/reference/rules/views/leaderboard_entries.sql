/*---
description: The entries of every leaderboard, whichever file they are in.
---*/

select
    'leaderboard_entries_artificial_analysis' as file_name,
    *  -- noqa: AM04
from leaderboard_entries_artificial_analysis
union all by name
select
    'leaderboard_entries_arena' as file_name,
    *  -- noqa: AM04
from leaderboard_entries_arena
union all by name
select
    'leaderboard_entries_vbench' as file_name,
    *  -- noqa: AM04
from leaderboard_entries_vbench
