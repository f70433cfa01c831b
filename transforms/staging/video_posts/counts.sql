/*---
description: >
  Posts by month, cell of the census day and bucket of views, with sums of length. census_cell is twice the hour of
  2024-04-10, plus one after the hour's first minute; -1 on other days. view_bucket is the least number of views in the bucket.
---*/

with typed as (
    select
        posted_at,
        n_views,
        is_ai_generated,
        cast(posted_at as date) as posted_on,
        case when is_video and duration_s > 0 then 1 else 0 end as is_measured,
        case when is_video and duration_s > 0 then cast(round(duration_s * 1000) as bigint) else 0 end as ms,
        case when is_video and duration_s > 0 then cast(round(duration_s * 10) as bigint) else 0 end as ds,
        case when abs(post_id // 4294967296 - epoch(posted_at)) <= 1 then 0 else 1 end as id_disagrees
    from part
)

select
    cast(date_trunc('month', posted_at) as date) as posted_month,
    cast(case
        when posted_on = date '2024-04-10'
            then 2 * extract(hour from posted_at) + case when extract(minute from posted_at) = 0 then 0 else 1 end
        else -1
    end as bigint) as census_cell,
    cast(case
        when n_views is null then -1
        when n_views < 1 then 0
        when n_views < 3 then 1
        when n_views < 10 then 3
        when n_views < 32 then 10
        when n_views < 100 then 32
        when n_views < 316 then 100
        when n_views < 1000 then 316
        when n_views < 3162 then 1000
        when n_views < 10000 then 3162
        when n_views < 31623 then 10000
        when n_views < 100000 then 31623
        when n_views < 1000000 then 100000
        else 1000000
    end as bigint) as view_bucket,
    count(*) as n_posts,
    cast(sum(is_measured) as bigint) as n_videos,
    cast(sum(case when is_ai_generated then 1 else 0 end) as bigint) as n_ai_labelled,
    cast(sum(ms) as bigint) as sum_ms,
    cast(sum(ds * ds) as bigint) as sum_square_ds,
    cast(sum(id_disagrees) as bigint) as n_id_disagrees
from typed
group by 1, 2, 3
having count(*) >= 10
