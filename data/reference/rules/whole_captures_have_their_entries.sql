/*---
description: A capture that is ok holds the whole board.
fix: say partial, or add the entries that are missing.
---*/

select
    'leaderboard_captures' as file_name,
    captures.line,
    captures.capture_id || ' is ok with ' || count(entries.capture_id) || ' entries'
    || coalesce(' of ' || captures.n_listed, '') || '; right would be partial, error or empty' as wrong
from leaderboard_captures as captures
left join leaderboard_entries as entries on captures.capture_id = entries.capture_id
where captures.status = 'ok'
group by captures.line, captures.capture_id, captures.n_listed
having count(entries.capture_id) < 4 or count(entries.capture_id) <> captures.n_listed
