/*---
description: >
  Every column of numbers in a mart leads, step by step through the lineage, to a file or a source whose hash the build states.
severity: critical
---*/
with recursive edges as (
    select
        layer || '.' || table_name as of_table,
        column_name as of_column,
        from_table,
        from_column
    from meta.lineage
    union
    select
        c.layer || '.' || c.table_name as of_table,
        c.column_name as of_column,
        unnest(m.reads) as from_table,
        '*' as from_column
    from meta.columns as c
    inner join meta.models as m on c.layer = m.layer and c.table_name = m.table_name
    anti join meta.lineage as l on c.layer = l.layer and c.table_name = l.table_name and c.column_name = l.column_name
),

numbers as (
    select
        layer || '.' || table_name as table_name,
        column_name
    from meta.columns
    where layer = 'marts' and type in ('DOUBLE', 'FLOAT', 'BIGINT', 'INTEGER')
),

reached as (
    select
        table_name as start_table,
        column_name as start_column,
        table_name as at_table,
        column_name as at_column
    from numbers
    union
    select
        r.start_table,
        r.start_column,
        e.from_table as at_table,
        e.from_column as at_column
    from reached as r
    inner join edges as e on r.at_table = e.of_table and (r.at_column = '*' or r.at_column = e.of_column)
),

grounded as (
    select distinct
        start_table,
        start_column
    from reached
    where
        at_table in (
            select 'raw.reference__' || split_part(split_part(input, '/', 2), '.', 1) from meta.inputs
            where input like 'reference/%'
        )
        or split_part(at_table, '__', 1) in (select 'raw.' || source_id from meta.sources)
        or at_table in ('meta.sources', 'meta.snapshots')
)

select
    numbers.table_name,
    numbers.column_name
from numbers
anti join grounded on numbers.table_name = grounded.start_table and numbers.column_name = grounded.start_column
order by numbers.table_name, numbers.column_name
