/*---
description: Every page and every assumption behind the figures of one board and day.
grain: [board_id, captured_on]
---*/

with cited as (
    select distinct
        board_id,
        captured_on,
        unnest(citation_ids) as citation_id
    from intermediate.int_moat__company
    where scenario_id = 'baseline'
),

assumed as (
    select distinct
        board_id,
        captured_on,
        unnest(assumption_ids) as assumption_id
    from intermediate.int_moat__company
    where scenario_id = 'baseline'
    union
    select distinct
        company.board_id,
        company.captured_on,
        assumptions.assumption_id
    from intermediate.int_moat__company as company
    cross join staging.stg_reference__assumptions as assumptions
    where assumptions.name in ('data_cutoff_lag', 'rating_se_per_root_vote')
),

citations as (
    select
        board_id,
        captured_on,
        list_sort(list(citation_id)) as citation_ids
    from cited
    group by board_id, captured_on
),

assumptions as (
    select
        board_id,
        captured_on,
        list_sort(list(assumption_id)) as assumption_ids
    from assumed
    group by board_id, captured_on
)

select
    citations.board_id,
    citations.captured_on,
    citations.citation_ids,
    assumptions.assumption_ids
from citations
inner join assumptions on citations.board_id = assumptions.board_id and citations.captured_on = assumptions.captured_on
