/*---
description: The key of an alias is one of a capture of its source, or one that first appeared after the captures here.
fix: copy the key from the board; give a key that is new the day it appeared as valid_from.
---*/

with keys as (
    select
        boards.source_id,
        entries.entry_key,
        captures.captured_on
    from leaderboard_entries as entries
    inner join leaderboard_captures as captures on entries.capture_id = captures.capture_id
    inner join boards on captures.board_id = boards.board_id
),

latest as (
    select
        source_id,
        max(captured_on) as captured_on
    from keys
    group by source_id
)

select
    'entry_aliases' as file_name,
    aliases.line,
    'key ' || aliases.entry_key || ' from ' || aliases.valid_from || ' is in no capture of ' || aliases.source_id
    || '; right would be a key on its boards, or valid_from ' || latest.captured_on || ' or later' as wrong
from entry_aliases as aliases
inner join latest on aliases.source_id = latest.source_id
where
    aliases.valid_from < latest.captured_on
    and (aliases.source_id, aliases.entry_key) not in (select (keys.source_id, keys.entry_key) from keys)
