/*---
description: What would change it
---*/

with newest as (
    from marts.moat_answer
    where quarter_on = (select max(quarter_on) from marts.moat_answer)
),

said as (
    select
        0 as place,
        '' as name,
        'The verdict: ' || what_would_change_it as sentence
    from newest
    union all
    select
        1 as place,
        tests.board_id as name,
        tests.board_id || ' (' || tests.verdict || '): ' || tests.what_would_change_it as sentence
    from marts.moat_test as tests
    where list_contains((select boards_read from newest), tests.board_id || ' ' || tests.captured_on)
    union all
    select
        2,
        company_id,
        'Apart from what is common to all companies and moves no rank, what would narrow the usable hours of '
        || company_id || ' most is "' || input_title || '" (' || input_id || ', '
        || round(100 * variance_share)::integer || ' % of their variance).'
    from marts.input_importance
    where
        measure = 'usable_hours'
        and company_id in ('bytedance', 'google', 'kuaishou')
        and input_kind in ('assumption', 'observation')
        and input_id not like '%:all'
    qualify row_number() over (partition by company_id order by variance_share desc, input_id asc) = 1
)

select sentence
from said
order by place, name
