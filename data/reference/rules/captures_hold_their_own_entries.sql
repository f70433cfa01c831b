/*---
description: A capture is of the board and day in its id, and its keys have the names and ratings they have in other captures.
fix: correct the board or day, or put names, makers and ratings back beside their keys.
---*/

with entries as (
    select
        'leaderboard_entries_artificial_analysis' as file_name,
        line,
        capture_id,
        entry_key,
        unnest(['entry_name', 'creator_name']) as column_name,
        unnest([entry_name, creator_name]) as stated
    from leaderboard_entries_artificial_analysis
    union all
    select
        'leaderboard_entries_arena' as file_name,
        line,
        capture_id,
        entry_key,
        unnest(['entry_name', 'creator_name']) as column_name,
        unnest([entry_name, creator_name]) as stated
    from leaderboard_entries_arena
    union all
    select
        'leaderboard_entries_vbench' as file_name,
        line,
        capture_id,
        entry_key,
        unnest(['entry_name', 'creator_name']) as column_name,
        unnest([entry_name, creator_name]) as stated
    from leaderboard_entries_vbench
),

compared as (
    select
        *,
        count(*) over (partition by file_name, column_name, entry_key) as n_captures,
        count(*) over (partition by file_name, column_name, entry_key, stated) as n_alike
    from entries
    where stated is not null
),

rated as (
    select
        'leaderboard_entries_artificial_analysis' as file_name,
        line,
        capture_id,
        entry_key,
        rating
    from leaderboard_entries_artificial_analysis
    where rating is not null
    union all
    select
        'leaderboard_entries_arena' as file_name,
        line,
        capture_id,
        entry_key,
        rating
    from leaderboard_entries_arena
    where rating is not null
    union all
    select
        'leaderboard_entries_vbench' as file_name,
        line,
        capture_id,
        entry_key,
        rating
    from leaderboard_entries_vbench
    where rating is not null
),

usual as (
    select
        rated.*,
        rated.rating / median(rated.rating) over boards as ratio,
        count(*) over boards as n_captures
    from rated
    inner join leaderboard_captures as captures on rated.capture_id = captures.capture_id
    window boards as (partition by captures.board_id, rated.entry_key)
),

named as (
    select
        capture_id,
        regexp_extract(capture_id, '^(.*)-[0-9]{4}-[0-9]{2}-[0-9]{2}', 1) as board_part,
        regexp_extract(capture_id, '[0-9]{4}-[0-9]{2}-[0-9]{2}') as day_part,
        board_id,
        captured_on::varchar as captured_on,
        line,
        mode(board_id) over (partition by board_part) as usual_board
    from leaderboard_captures
    where board_part <> ''
)

select
    file_name,
    min(line) as line,
    'only ' || count(*) filter (where n_alike > 1) || ' of ' || count(*) || ' keys of ' || capture_id || ' have a '
    || column_name || ' that they have in another capture; right would be most of them' as wrong
from compared
where n_captures > 1
group by file_name, capture_id, column_name
having count(*) >= 4 and count(*) filter (where n_alike > 1) < 0.5 * count(*)
union all
select
    'leaderboard_captures' as file_name,
    line,
    capture_id || ' is of ' || board_id || ' on ' || captured_on || '; right would be '
    || usual_board || ' on ' || day_part as wrong
from named
where board_id <> usual_board or captured_on <> day_part
union all
select
    file_name,
    min(line) as line,
    'the ratings of ' || capture_id || ' are ' || round(median(ratio), 3)
    || ' times those of the same keys in other captures; right would be between 0.9 and 1.1' as wrong
from usual
where n_captures > 2
group by file_name, capture_id
having count(*) >= 4 and not median(ratio) between 0.9 and 1.1
