/*---
description: >
  How old the newest data of each board and platform are, against how often they used to come: a board's complete captures, and the
  ends of the periods of a platform's used statistics. The expected interval is the median of the last twelve.
grain: [series_kind, series_id]
rows: {min: 10}
caveats:
  - Stale is a property of a day - a series is stale from stale_since_on on, unless newer data arrive; `datamoat status` compares with today.
  - A series with a single date has no interval of its own and takes a month.
---*/

with dates as (
    select distinct
        'board' as series_kind,
        board_id as series_id,
        captured_on as seen_on
    from intermediate.int_board__status
    where status in ('ok', 'unchanged') and capture_id is not null
    union all
    select distinct
        'platform' as series_kind,
        facts.platform_id as series_id,
        facts.period_end_on as seen_on
    from intermediate.int_platform__observation as facts
    inner join intermediate.int_platform__observation_use as used on facts.fact_id = used.fact_id
    where used.is_used and facts.period_end_on is not null
),

gaps as (
    select
        series_kind,
        series_id,
        seen_on,
        date_diff('day', lag(seen_on) over (partition by series_kind, series_id order by seen_on), seen_on) as gap_days,
        row_number() over (partition by series_kind, series_id order by seen_on desc) as recency
    from dates
),

intervals as (
    select
        series_kind,
        series_id,
        max(seen_on) as newest_on,
        count(*) as n_dates,
        coalesce(cast(ceil(median(gap_days) filter (where recency <= 12)) as bigint), 31) as expected_every_days
    from gaps
    group by series_kind, series_id
)

select
    series_kind,
    series_id,
    newest_on,
    n_dates,
    expected_every_days,
    greatest(7, 3 * expected_every_days) as stale_after_days,
    newest_on + cast(greatest(7, 3 * expected_every_days) as integer) as stale_since_on
from intervals
order by series_kind, series_id
