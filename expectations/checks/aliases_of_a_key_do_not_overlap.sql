/*---
description: Two rows for one key of one source never hold on the same day, so that every entry means one model; the same for names of makers.
severity: critical
---*/

with numbered as (
    select
        source_id,
        entry_key as alias,
        'entry_aliases' as table_name,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from staging.stg_reference__entry_aliases
    union all
    select
        source_id,
        creator_name as alias,
        'creator_aliases' as table_name,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from staging.stg_reference__creator_aliases
)

select
    a.table_name,
    a.source_id,
    a.alias,
    a.valid_from,
    a.valid_to,
    b.valid_from as other_valid_from
from numbered as a
inner join numbered as b
    on
        a.table_name = b.table_name
        and a.source_id = b.source_id
        and a.alias = b.alias
        and a.valid_from < b.valid_from
        and a.valid_to >= b.valid_from
