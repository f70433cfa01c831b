/*---
description: >
  Every published statistic of a platform: what people transcribed, and what live sources brought since. A value that
  both hold with the same value is one row, the transcribed one; a live value that differs from it is a row beside it.
grain: [fact_id]
nullable: [value_low, value_high, observed_on, publisher, unusable_reason, supersedes_fact_id, note]
caveats:
  - The low and the high end of a live rate are those of its last printed decimal; estimates read every rate so (assumption A226).
  - Of a live value that was restated, the newest release is used; the earlier ones are in the staging table.
---*/

with live as (
    select
        platform_id,
        metric,
        value,
        case when value_low < value_high then value_low end as value_low,
        case when value_low < value_high then value_high end as value_high,
        case when metric = 'removed_share_of_published' then 'fraction' else 'videos' end as unit,
        period_start_on,
        period_end_on,
        'global_excl_china' as geography,
        'TikTok' as publisher,
        'tiktok' as originator,
        figure_as_stated,
        'C3001' as citation_id,
        captured_on,
        snapshot_id
    from staging.stg_tiktok_enforcement__statistics
    union all
    select
        platform_id,
        'eu_monthly_active_recipients' as metric,
        n_active_users::double as value,
        null::double as value_low,
        null::double as value_high,
        'users' as unit,
        period_start_on,
        period_end_on,
        case geography when 'EL' then 'gr' else lower(geography) end as geography,
        service_name as publisher,
        platform_id as originator,
        figure_as_stated,
        'C3002' as citation_id,
        captured_on,
        snapshot_id
    from staging.stg_eu_active_recipients__recipients
    where n_active_users is not null
),

newest as (
    select
        *,
        row_number() over (
            partition by platform_id, metric, period_start_on, period_end_on, geography
            order by captured_on desc, snapshot_id desc
        ) as place
    from live
),

transcribed as (
    select distinct
        platform_id,
        metric,
        period_start_on,
        period_end_on,
        geography,
        round(value, 6) as value
    from staging.stg_reference__platform_observations
)

select
    fact_id,
    platform_id,
    metric,
    value,
    value_low,
    value_high,
    bound,
    unit,
    period_start_on,
    period_end_on,
    observed_on,
    period_basis,
    geography,
    publisher,
    originator,
    source_kind,
    tier,
    verification,
    is_usable,
    unusable_reason,
    supersedes_fact_id,
    figure_as_stated,
    citation_id,
    note
from staging.stg_reference__platform_observations
union all
select
    'live:' || n.platform_id || ':' || n.metric || ':' || n.geography || ':' || n.period_start_on as fact_id,
    n.platform_id,
    n.metric,
    n.value,
    n.value_low,
    n.value_high,
    'exact' as bound,
    n.unit,
    n.period_start_on,
    n.period_end_on,
    null::date as observed_on,
    'stated' as period_basis,
    n.geography,
    n.publisher,
    n.originator,
    'official_file' as source_kind,
    1::integer as tier,
    'snapshot' as verification,
    true as is_usable,
    null::varchar as unusable_reason,
    null::varchar as supersedes_fact_id,
    n.figure_as_stated,
    n.citation_id,
    'From snapshot ' || n.snapshot_id || '.' as note
from newest as n
left join transcribed as t
    on
        n.platform_id = t.platform_id
        and n.metric = t.metric
        and n.period_start_on = t.period_start_on
        and n.period_end_on = t.period_end_on
        and n.geography = t.geography
        and round(n.value, 6) = t.value
where n.place = 1 and t.platform_id is null
