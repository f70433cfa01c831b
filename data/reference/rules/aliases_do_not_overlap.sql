/*---
description: A key of a source means one thing on one day.
fix: end the earlier alias the day before the later begins.
---*/

with aliases as (
    select
        'entry_aliases' as file_name,
        line,
        source_id,
        entry_key as alias,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from entry_aliases
    union all
    select
        'creator_aliases' as file_name,
        line,
        source_id,
        creator_name as alias,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from creator_aliases
),

spans as (
    select
        *,
        lag(valid_to) over (partition by file_name, source_id, alias order by valid_from) as previous_to
    from aliases
)

select
    file_name,
    line,
    source_id || ' ' || alias || ' from ' || valid_from || case
        when valid_to < valid_from then ' ends on ' || valid_to || '; right would be a day after it'
        else ' begins before the alias in front of it ends; right would be that one with valid_to ' || (valid_from - 1)
    end as wrong
from spans
where valid_to < valid_from or previous_to >= valid_from
