/*---
description: Global statistics of TikTok's enforcement report on videos, one row per quarter, metric and release that changed the statistic.
grain: [platform_id, metric, period_start_on, captured_on]
nullable: [value_low, value_high]
caveats:
  - A release that repeats a statistic adds no row; one that restates it adds a row beside the earlier.
  - value_low and value_high are the rounding interval of a rate's own decimals, or of those of half of its release's rates where it has fewer, since zeros at the end may be left out.
---*/

with printed as (
    select
        *,
        len(regexp_extract(result, '\.(\d+)', 1))
        + case when result like '%\%' escape '\' then 2 else 0 end as n_decimals
    from raw.tiktok_enforcement__statistics
),

statistics as (
    select
        case metric
            when 'Total videos removed' then 'videos_removed'
            when 'Video: Removal rate of published' then 'removed_share_of_published'
            when 'Videos removed from fake accounts' then 'videos_removed_with_fake_accounts'
            when 'Videos restored' then 'videos_restored'
        end as metric,
        make_date(substr(period, 1, 4)::integer, 3 * substr(period, 7, 1)::integer - 2, 1) as period_start_on,
        value,
        result,
        case
            when metric = 'Video: Removal rate of published'
                then 0.5 * power(10.0, -greatest(
                    n_decimals, -quantile_disc(-n_decimals, 0.5) over (partition by _snapshot_id, metric)
                ))
            else 0.0
        end as half_step,
        _captured_on as captured_on,
        _snapshot_id as snapshot_id
    from printed
    where
        metric in (
            'Total videos removed',
            'Video: Removal rate of published',
            'Videos removed from fake accounts',
            'Videos restored'
        )
        and regexp_full_match(period, '\d{4} Q[1-4]')
        and value is not null
)

select
    'tiktok' as platform_id,
    metric,
    period_start_on,
    (period_start_on + interval 3 month - interval 1 day)::date as period_end_on,
    captured_on,
    snapshot_id,
    value,
    result as figure_as_stated,
    round(value - half_step, 9) as value_low,
    round(value + half_step, 9) as value_high
from statistics
window told_before as (partition by metric, period_start_on order by captured_on)
qualify
    value is distinct from lag(value) over told_before
    or half_step is distinct from lag(half_step) over told_before
