/*---
description: What begins, is announced or is published does so before it ends, is released or is read.
fix: exchange the two days, or correct one.
---*/

with pairs (first_column, second_column) as (
    values
    ('valid_from', 'valid_to'),
    ('period_start_on', 'period_end_on'),
    ('period_start_on', 'as_of_on'),
    ('period_end_on', 'observed_on'),
    ('published_on', 'read_on'),
    ('announced_on', 'released_on'),
    ('launched_on', 'closed_on'),
    ('board_published_on', 'captured_on')
)

select
    earlier.file_name,
    earlier.line,
    earlier.column_name || ' ' || earlier.stated || ' is after ' || later.column_name || ' ' || later.stated
    || '; right would be the two exchanged' as wrong
from pairs
inner join cells as earlier on pairs.first_column = earlier.column_name
inner join cells as later
    on
        pairs.second_column = later.column_name
        and earlier.file_name = later.file_name
        and earlier.line = later.line
-- a date may be a year or a month: compare what both state
where left(earlier.stated, length(later.stated)) > left(later.stated, length(earlier.stated))
