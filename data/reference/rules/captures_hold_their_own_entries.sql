/*---
description: A capture is of the board and day in its id, and its keys have the names and ratings they have in other captures.
fix: >-
  correct the board or day, or put names, makers and ratings back beside their keys; where a board really moved its scale, enter the
  captures of the new scale together, so that each has others around it.
---*/

with named_cells as (
    select
        file_name,
        line,
        capture_id,
        entry_key,
        unnest(['entry_name', 'creator_name']) as column_name,
        unnest([entry_name, creator_name]) as stated
    from leaderboard_entries
),

compared as (
    select
        *,
        count(*) over (partition by file_name, column_name, entry_key) as n_captures,
        count(*) over (partition by file_name, column_name, entry_key, stated) as n_alike
    from named_cells
    where stated is not null
),

-- A board that moves its scale does so from one capture to the next, and stays: only the captures around are compared.
usual as (
    select
        entries.file_name,
        entries.line,
        entries.capture_id,
        entries.rating / median(entries.rating) over around as ratio,
        count(*) over around as n_captures
    from leaderboard_entries as entries
    inner join leaderboard_captures as captures on entries.capture_id = captures.capture_id
    where entries.rating is not null
    window around as (
        partition by captures.board_id, entries.entry_key
        order by captures.captured_on, captures.capture_id
        rows between 3 preceding and 3 following
    )
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
    || ' times those of the same keys in the captures around; right would be between 0.9 and 1.1' as wrong
from usual
where n_captures > 2
group by file_name, capture_id
having count(*) >= 4 and not median(ratio) between 0.9 and 1.1
