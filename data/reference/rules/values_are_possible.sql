/*---
description: A value is one that can be, beside what else is known of its day, scale, archive or year.
fix: correct the power of ten or the unit.
---*/

with scales (scale_kind, lowest, highest) as (
    values ('fitted_rating', 200, 2500), ('automatic_score', 0, 100)
),

entries as (
    select
        file_name,
        line,
        capture_id,
        entry_name,
        unnest([rating, rating_low, rating_high]) as rating
    from leaderboard_entries
),

days as (
    select
        *,
        median(n_statements_counted) over (order by received_on rows between 10 preceding and 10 following) as usual
    from dsa_daily_totals
)

select
    entries.file_name,
    entries.line,
    entries.entry_name || ' is rated ' || entries.rating || ' in ' || entries.capture_id || '; right would be between '
    || scales.lowest || ' and ' || scales.highest as wrong
from entries
inner join leaderboard_captures as captures on entries.capture_id = captures.capture_id
inner join boards on captures.board_id = boards.board_id
inner join scales on boards.scale_kind = scales.scale_kind
where not entries.rating between scales.lowest and scales.highest
union all
select
    'dsa_daily_totals' as file_name,
    line,
    n_statements_counted || ' decisions counted and ' || n_statements_listed || ' listed in ' || csv_bytes
    || ' bytes, ' || zip_bytes || ' compressed; right would be near each other, at 300 to 3000 bytes a decision,'
    || ' 5 to 50 times compressed, and near the days around' as wrong
from days
where
    n_statements_listed > 0
    and (
        not n_statements_counted / n_statements_listed between 0.5 and 2
        or not csv_bytes / n_statements_listed between 300 and 3000
        or not csv_bytes / zip_bytes between 5 and 50
        or not n_statements_counted / usual between 0.02 and 50
    )
union all
select
    'open_datasets' as file_name,
    line,
    n_items || ' ' || item_kind || ' of ' || mean_item_seconds || ' seconds are not ' || n_hours
    || ' hours; right would be about ' || round(n_items * mean_item_seconds / 3600) as wrong
from open_datasets
where not n_hours * 3600 / (n_items * mean_item_seconds) between 0.5 and 2
union all
select
    'company_resources' as file_name,
    line,
    'fiscal_year is ' || fiscal_year || ' with as_of_on ' || as_of_on
    || '; right would be that year or one beside it' as wrong
from company_resources
where abs(fiscal_year - left(as_of_on, 4)::integer) > 1
