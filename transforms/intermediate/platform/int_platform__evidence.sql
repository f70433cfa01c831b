/*---
description: >
  What a platform's estimate rests on in each month and scenario: measured (an official or academic count of videos
  at most A247 months away), reported (some statement about uploads, bounds among them), modelled (users or lengths
  only), prior_only (nothing).
grain: [platform_id, month, scenario_id]
nullable: [last_counted_on]
---*/

with months as (
    select
        scenario_id,
        platform_id,
        month
    from intermediate.int_platform__flow_quantiles
    union all
    select
        scenario_id,
        platform_id,
        month
    from intermediate.int_platform__wide_quantiles
),

-- Parts rest on the statistics of their platform too, and a platform on those of its classes of length.
parts as (
    select
        x.platform_id,
        p.parent_platform_id,
        x.share_assumption_id is null as is_length
    from staging.stg_reference__volume_series as x
    inner join staging.stg_reference__platforms as p on x.platform_id = p.platform_id
    inner join staging.stg_reference__volume_series as q on p.parent_platform_id = q.platform_id
    where x.is_modelled and q.is_modelled
),

s as (
    select
        platform_id,
        parent_platform_id
    from parts
    union all
    select
        parent_platform_id as platform_id,
        platform_id as parent_platform_id
    from parts
    where is_length
    union all
    select
        y.platform_id,
        y.platform_id as parent_platform_id
    from staging.stg_reference__volume_series as y
),

used as (
    select
        coalesce(s.platform_id, u.platform_id) as platform_id,
        u.fact_id,
        u.noise_family,
        u.observation_kind,
        u.tier,
        (u.offset_low is null) != (u.offset_high is null) or u.offset_sd is not null as is_bound,
        u.source_kind,
        u.period_start_on,
        u.period_end_on,
        u.citation_ids
    from intermediate.int_platform__observation_use as u
    left join s on u.platform_id = s.parent_platform_id
    where u.is_used and u.log_value is not null
),

near as (
    select max(p50)::integer as n_months
    from staging.stg_reference__assumptions
    where name = 'measured_within_months'
),

scored as (
    select
        m.scenario_id,
        m.platform_id,
        m.month,
        count(u.fact_id) as n_observations,
        max(u.period_end_on) filter (
            where u.noise_family = 'volume' and u.observation_kind not in ('duration_new', 'duration_stock')
        ) as last_counted_on,
        max(case
            when u.fact_id is null then 0
            when u.noise_family != 'volume' or u.observation_kind in ('duration_new', 'duration_stock') then 1
            when
                u.tier <= 2
                and not u.is_bound
                and m.month <= u.period_end_on + to_months(w.n_months)
                and m.month >= u.period_start_on - to_months(w.n_months)
                then 3
            else 2
        end) as score,
        list_sort(list_distinct(flatten(list(u.citation_ids) filter (where u.fact_id is not null)))) as citation_ids
    from months as m
    cross join near as w
    left join used as u
        on
            m.platform_id = u.platform_id
            and (
                m.scenario_id != 'official_only'
                or u.source_kind in ('official_file', 'filing', 'official_statement')
            )
    group by m.scenario_id, m.platform_id, m.month
),

chosen as (
    select
        s.platform_id,
        list_sort(list_distinct(list_concat(
            list(a.assumption_id),
            list_filter([max(v.share_assumption_id), max(v.duration_assumption_id)], lambda x: x is not null)  -- noqa: RF02
        ))) as assumption_ids,
        list_sort(list_distinct(flatten(list(a.citation_ids)))) as assumption_citation_ids
    from (select distinct platform_id from months) as s
    inner join staging.stg_reference__platforms as p on s.platform_id = p.platform_id
    inner join staging.stg_reference__volume_series as v on s.platform_id = v.platform_id
    inner join staging.stg_reference__assumptions as a
        on
            (a.name like 'prior\_%' escape '\' and a.name not like 'prior\_duration\_level\_%' escape '\')
            or a.name = 'prior_duration_level_' || p.class
            or a.name in (
                'prior_duration_level_platform', 'early_loss_share', 'late_loss_hazard', 'dup_share_hours',
                'yield_hours_raw_to_pretrain', 'yield_platform_ratio_log'
            )
    group by s.platform_id
)

select
    s.platform_id,
    s.month,
    s.scenario_id,
    case
        when s.n_observations = 0 then 'prior_only'
        when s.platform_id in (select x.platform_id from parts as x) then 'modelled'
        when s.score = 3 then 'measured'
        when s.score = 2 then 'reported'
        else 'modelled'
    end as basis,
    s.n_observations,
    s.last_counted_on,
    list_sort(list_distinct(list_concat(coalesce(s.citation_ids, []::varchar[]), c.assumption_citation_ids)))
        as citation_ids,
    c.assumption_ids
from scored as s
inner join chosen as c on s.platform_id = c.platform_id
inner join staging.stg_reference__volume_series as v on s.platform_id = v.platform_id
