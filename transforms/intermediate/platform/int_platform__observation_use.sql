/*---
description: >
  What becomes of every observation: its observation function, log value, noise and censoring bound, or the reason it is not
  used. Nothing is averaged here; statistics that contradict each other stay and name each other.
grain: [fact_id]
nullable: [unused_reason, observation_kind, noise_family, log_value, seen_on, source_key, noise_name, bias_name, noise_sd, bias_sd, extra_sd,
  contamination_share, contamination_sd, offset_low, offset_high, offset_sd, used_with_fact_id, contradiction]
caveats:
  - A pair of removed videos and removal rate is one observation, in the removed videos' row, with the rounding of
    the printed rate as an interval.
  - A refused row is refused for its own value, not for disagreeing; disagreement is only flagged.
  - A source has a bias for its counts, one for its mean lengths and one for its hours.
  - A count too old to be used has a log value, as it is predicted from the other platforms.
  - A count whose page does not say when it was made is a floor of unknown age, whatever words it comes in.
---*/

with constants as (
    select
        max(p50) filter (where name = 'limit_users') as limit_users,
        max(p50) filter (where name = 'limit_duration_seconds') as limit_duration,
        max(p50) filter (where name = 'about_extra_sd') as about_sd,
        max(p50) filter (where name = 'works_extra_sd') as works_sd,
        max(p50) filter (where name = 'rate_half_width_exact') as half_width_exact,
        max(p50) filter (where name = 'rate_half_width_about') as half_width_about,
        max(p50) filter (where name = 'relay_log_distance') as relay_distance,
        max(ln(p50)) filter (where name = 'unit_fault_factor') as unit_fault,
        max(p50) filter (where name = 'part_below_total') as part_below_total,
        max(p50) filter (where name = 'photo_post_share_tiktok') as photo_share,
        max(ln((1 - p05) / (1 - p95)) / 3.2897073) filter (where name = 'photo_post_share_tiktok') as photo_sd,
        max(p50) filter (where name = 'overshoot_study') as overshoot_study,
        max(p50) filter (where name = 'overshoot_at_least') as overshoot_usual,
        max(p50) filter (where name = 'overshoot_undated') as overshoot_undated,
        max(ln(p50)) filter (where name = 'contradiction_factor') as contradiction,
        max(ln(p50)) filter (where name = 'contradiction_bound_factor') as contradiction_of_bound,
        max(p50) filter (where name = 'contradiction_window_days') as window_n_days,
        max(p50) filter (where name = 'limit_removed_share') as limit_removed_share,
        max(p50) filter (where name = 'limit_duration_least_seconds') as limit_duration_least,
        max(p50) filter (where name = 'contamination_share_hours') as odd_share,
        max(p50) filter (where name = 'contamination_sd_hours') as odd_sd
    from staging.stg_reference__assumptions
),

kinds as (
    select
        t.metric,
        t.observation_kind,
        t.noise_family,
        t.bias_group
    from (
        values
        ('monthly_active_users', 'users_monthly', 'users', 'users'),
        ('daily_active_users', 'users_daily', 'users', 'users'),
        ('uploads_per_day', 'uploads_per_day', 'volume', 'uploads'),
        ('uploads_per_month', 'uploads_per_day', 'volume', 'uploads'),
        ('uploads_per_quarter', 'uploads_per_day', 'volume', 'uploads'),
        ('uploads_per_year', 'uploads_per_day', 'volume', 'uploads'),
        ('posts_per_day', 'uploads_per_day', 'volume', 'uploads'),
        ('works_per_day', 'uploads_per_day', 'volume', 'uploads'),
        ('hours_uploaded_per_minute', 'hours_per_day', 'volume', 'hours'),
        ('mean_duration_of_uploads_seconds', 'duration_new', 'volume', 'duration'),
        ('mean_duration_of_stock_seconds', 'duration_stock', 'volume', 'duration'),
        ('videos_public_total', 'videos_public', 'volume', 'uploads'),
        ('videos_uploaded_total', 'videos_uploaded', 'volume', 'uploads'),
        ('hours_uploaded_total', 'hours_uploaded', 'volume', 'hours'),
        ('hours_public_total', 'hours_public', 'volume', 'hours'),
        ('share_of_parent_uploads', 'uploads_odds', 'volume', 'share'),
        ('surviving_uploads_of_year', 'cohort_public', 'volume', 'uploads')
    ) as t (metric, observation_kind, noise_family, bias_group)
),

stated as (
    select
        o.fact_id,
        o.platform_id,
        o.metric,
        o.value,
        o.bound,
        o.geography,
        o.originator,
        o.source_kind,
        o.tier,
        o.is_usable,
        o.unusable_reason,
        o.verification,
        o.period_basis,
        o.citation_id,
        p.country,
        s.is_modelled,
        s.share_assumption_id is not null as is_share,
        p.parent_platform_id in (
            select x.platform_id from staging.stg_reference__volume_series as x
            where x.is_modelled
        ) as is_part,
        r.ruling,
        o.period_start_on,
        least(o.period_end_on, getvariable('as_of')::date) as period_end_on,
        coalesce(o.observed_on, least(o.period_end_on, getvariable('as_of')::date)) as seen_on,
        coalesce(s.assumed_launch_on, p.launched_on) as launched_on,
        date_diff('day', o.period_start_on, o.period_end_on) + 1 as period_n_days,
        k.observation_kind,
        k.noise_family,
        o.originator || ':' || k.bias_group as source_key,
        max(
            case when o.is_usable and o.geography in ('global', 'global_excl_china') then 1 else 0 end
        ) over (partition by o.platform_id) = 1 as has_global,
        o.metric in ('videos_removed', 'removed_share_of_published') as is_removal
    from intermediate.int_platform__observation as o
    left join staging.stg_reference__platforms as p on o.platform_id = p.platform_id
    left join staging.stg_reference__volume_series as s on o.platform_id = s.platform_id
    left join staging.stg_reference__observation_rulings as r on o.fact_id = r.fact_id
    left join kinds as k on o.metric = k.metric
),

first_look as (
    select
        s.*,
        case
            when not s.is_usable then s.unusable_reason
            when s.verification = 'UNVERIFIED' then 'unverified'
            when s.ruling = 'drop' then 'another_definition'
            when s.ruling in ('weak_page', 'old_count') then s.ruling
            when not coalesce(s.is_modelled, false) then 'platform_not_modelled'
            when s.is_share or (s.is_part and s.noise_family = 'users') then 'part_counted_by_share'
            when s.observation_kind is null and not s.is_removal then 'not_a_volume'
            when
                s.geography not in ('global', 'global_excl_china')
                and not (
                    s.geography = case when s.country = 'CN' then 'china' else lower(s.country) end and not s.has_global
                )
                then 'part_of_the_world'
            when s.value is null or s.value <= 0 then 'refused_not_positive'
            when s.observation_kind = 'uploads_odds' and s.value >= 1 then 'refused_rate_is_not_a_share'
            when s.metric = 'removed_share_of_published' and s.value > c.limit_removed_share
                then 'refused_rate_is_not_a_share'
            when s.noise_family = 'users' and s.value > c.limit_users then 'refused_above_physical_limit'
            when
                s.observation_kind in ('duration_new', 'duration_stock')
                and (s.value > c.limit_duration or s.value < c.limit_duration_least)
                then 'refused_impossible_duration'
            when s.period_start_on > getvariable('as_of')::date then 'not_yet_public'
            when s.period_end_on < s.launched_on then 'before_launch'
        end as reason
    from stated as s
    cross join constants as c
),

removed_ranked as (
    select
        *,
        row_number() over (
            partition by platform_id, metric, period_start_on, period_end_on
            order by tier, bound != 'exact', fact_id
        ) as place
    from first_look
    where is_removal and reason is null
),

pairs as (
    select
        r.fact_id,
        q.fact_id as rate_fact_id,
        q.citation_id as rate_citation_id,
        q.value as rate,
        q.bound as rate_bound,
        greatest(r.tier, q.tier) as pair_tier
    from removed_ranked as r
    inner join removed_ranked as q
        on
            r.platform_id = q.platform_id
            and r.period_start_on = q.period_start_on
            and r.period_end_on = q.period_end_on
            and r.metric = 'videos_removed'
            and q.metric = 'removed_share_of_published'
    where r.place = 1 and q.place = 1
),

joined as (
    select
        s.* exclude (observation_kind, noise_family, source_key, tier, bound),
        coalesce(p.pair_tier, s.tier) as tier,
        case when p.fact_id is not null then 'uploads_per_day' else s.observation_kind end as observation_kind,
        case when p.fact_id is not null then 'volume' else s.noise_family end as noise_family,
        case when p.fact_id is not null then s.originator || ':removed_over_rate' else s.source_key end as source_key,
        p.rate_fact_id,
        p.rate_citation_id,
        p.rate,
        case
            when p.rate_bound = 'at_most' then 'at_least'
            when p.fact_id is not null then 'interval'
            when
                s.period_basis = 'assumed' and s.bound in ('about', 'exact')
                and s.observation_kind not in ('duration_new', 'duration_stock')
                then 'at_least'
            else s.bound
        end as bound,
        case when p.rate_bound = 'exact' then c.half_width_exact else c.half_width_about end as half_width,
        case
            when p.fact_id is not null then ln(s.value / p.rate / s.period_n_days)
            when s.reason != 'old_count' or s.observation_kind is null then null
            when s.metric = 'uploads_per_month' then ln(s.value / 30.4375)
            when s.metric in ('uploads_per_quarter', 'uploads_per_year') then ln(s.value / s.period_n_days)
            when s.metric = 'hours_uploaded_per_minute' then ln(s.value * 1440)
            when s.observation_kind = 'uploads_odds' then ln(s.value / (1 - s.value))
            when s.metric = 'posts_per_day' then ln(s.value * (1 - c.photo_share))
            when s.ruling = 'over_posts' then ln(s.value / (1 - c.photo_share))
            else ln(s.value)
        end as log_value,
        case
            when p.fact_id is not null then 0.0
            when s.metric = 'posts_per_day' or s.ruling = 'over_posts'
                then sqrt(c.photo_sd * c.photo_sd + case when s.bound = 'about' then c.about_sd else 0.0 end ** 2)
            when s.metric = 'works_per_day' then c.works_sd
            when s.bound = 'about' then c.about_sd
            else 0.0
        end as extra_sd,
        case
            when s.reason is not null then s.reason
            when not s.is_removal or p.fact_id is not null then null
            when s.fact_id in (select x.rate_fact_id from pairs as x) then null
            when s.fact_id in (
                select x.fact_id from removed_ranked as x
                where x.place > 1
            ) then 'same_as_another'
            else 'no_rate_or_count_to_pair_with'
        end as second_reason
    from first_look as s
    cross join constants as c
    left join pairs as p on s.fact_id = p.fact_id
),

relays as (
    select
        a.fact_id,
        min(b.fact_id) as relay_of
    from joined as a
    cross join constants as c
    inner join joined as b
        on
            a.platform_id = b.platform_id
            and a.observation_kind = b.observation_kind
            and a.fact_id != b.fact_id
            and a.second_reason is null
            and b.second_reason is null
            and abs(a.log_value - b.log_value) < c.relay_distance
            and a.period_start_on <= b.period_end_on
            and a.period_end_on >= b.period_start_on
            and a.seen_on >= b.period_start_on
            and (
                a.originator = b.originator
                or (a.period_start_on = b.period_start_on and a.period_end_on = b.period_end_on)
            )
            and (a.observation_kind != 'cohort_public' or a.seen_on = b.seen_on)
            and (b.tier, b.bound != 'exact', b.bound = 'at_least', b.period_n_days, b.fact_id)
            < (a.tier, a.bound != 'exact', a.bound = 'at_least', a.period_n_days, a.fact_id)
    group by a.fact_id
),

kept as (
    select
        r.*,
        y.relay_of,
        r.log_value is not null and r.second_reason is null and y.relay_of is null as is_observation
    from joined as r
    left join relays as y on r.fact_id = y.fact_id
),

against as (
    select
        a.fact_id,
        list_sort(list(distinct b.fact_id)) as contradicts_fact_ids,
        list_sort(list(distinct b.citation_id)) as contradicts_citation_ids,
        max(case
            when abs(a.log_value - b.log_value) > c.unit_fault then 'so far apart that a unit is wrong'
            when
                a.bound = 'at_least' and a.log_value > b.log_value + c.contradiction_of_bound
                then 'a floor above a value of another source'
            when
                b.bound = 'at_least' and b.log_value > a.log_value + c.contradiction_of_bound
                then 'a value below a floor of another source'
            else 'a factor of more than 2 apart'
        end) as contradiction,
        max(case when abs(a.log_value - b.log_value) > c.unit_fault then 1 else 0 end) = 1 as is_unit_suspect,
        sum(case when abs(a.log_value - b.log_value) > c.unit_fault then 1 else 0 end) as n_far
    from kept as a
    cross join constants as c
    inner join kept as b
        on
            a.platform_id = b.platform_id
            and a.observation_kind = b.observation_kind
            and a.fact_id != b.fact_id
            and a.is_observation
            and b.is_observation
            and a.period_start_on <= b.period_end_on + to_days(c.window_n_days::integer)
            and b.period_start_on <= a.period_end_on + to_days(c.window_n_days::integer)
            and coalesce(a.ruling, '') not in ('logical_floor', 'stale_floor', 'part_of_total')
            and coalesce(b.ruling, '') not in ('logical_floor', 'stale_floor', 'part_of_total')
            and (
                abs(a.log_value - b.log_value) > c.unit_fault
                or (
                    a.originator != b.originator
                    and a.period_start_on <= b.period_end_on
                    and a.period_end_on >= b.period_start_on
                    and (
                        (
                            a.bound = 'at_least'
                            and b.bound != 'at_least'
                            and a.log_value > b.log_value + c.contradiction_of_bound
                        )
                        or (
                            b.bound = 'at_least'
                            and a.bound != 'at_least'
                            and b.log_value > a.log_value + c.contradiction_of_bound
                        )
                        or (
                            a.bound != 'at_least'
                            and b.bound != 'at_least'
                            and abs(a.log_value - b.log_value) > c.contradiction
                        )
                    )
                )
            )
    group by a.fact_id
),

crowd as (
    select
        a.fact_id,
        count(*) as n_near
    from kept as a
    cross join constants as c
    inner join kept as b
        on
            a.platform_id = b.platform_id
            and a.observation_kind = b.observation_kind
            and a.fact_id != b.fact_id
            and a.is_observation
            and b.is_observation
            and a.period_start_on <= b.period_end_on + to_days(c.window_n_days::integer)
            and b.period_start_on <= a.period_end_on + to_days(c.window_n_days::integer)
            and abs(a.log_value - b.log_value) <= c.unit_fault
    group by a.fact_id
),

decided as (
    select
        k.*,
        g.contradicts_fact_ids,
        g.contradicts_citation_ids,
        g.contradiction,
        case
            when k.second_reason is not null then k.second_reason
            when k.relay_of is not null then 'same_as_another'
            when coalesce(g.is_unit_suspect, false) and g.n_far > coalesce(w.n_near, 0)
                then 'refused_wrong_unit'
        end as unused_reason
    from kept as k
    left join against as g on k.fact_id = g.fact_id
    left join crowd as w on k.fact_id = w.fact_id
),

paired as (
    select
        d.* replace (coalesce(d.unused_reason, r.unused_reason) as unused_reason),  -- a rate shares the lot of its count
        coalesce(d.unused_reason, r.unused_reason, 'old_count') = 'old_count' as is_described
    from decided as d
    left join decided as r on d.fact_id = r.rate_fact_id
)

select
    d.fact_id,
    d.platform_id,
    d.metric,
    d.unused_reason is null as is_used,
    d.unused_reason,
    case when d.is_described then d.observation_kind end as observation_kind,
    case when d.is_described then d.noise_family end as noise_family,
    case when d.is_described then d.log_value end as log_value,
    d.period_start_on,
    d.period_end_on,
    d.seen_on,
    case when d.is_described then d.source_key end as source_key,
    d.tier,
    d.source_kind,
    case when d.is_described and d.log_value is not null then n.name end as noise_name,
    case when d.is_described and d.log_value is not null then b.name end as bias_name,
    case when d.is_described and d.log_value is not null then n.p50 end as noise_sd,
    case when d.is_described and d.log_value is not null then b.p50 end as bias_sd,
    case when d.is_described and d.log_value is not null then d.extra_sd end as extra_sd,
    case when d.is_described and d.metric = 'hours_uploaded_per_minute' then c.odd_share end as contamination_share,
    case when d.is_described and d.metric = 'hours_uploaded_per_minute' then c.odd_sd end as contamination_sd,
    case
        when not d.is_described or d.log_value is null then null
        when d.bound = 'interval' then ln(d.rate / (d.rate + d.half_width))
        when d.bound = 'at_least' or d.ruling in ('stale_floor', 'logical_floor') then 0.0
    end as offset_low,
    case
        when not d.is_described or d.log_value is null then null
        when d.bound = 'interval' then ln(d.rate / (d.rate - d.half_width))
        when d.bound = 'at_most' then 0.0
    end as offset_high,
    case
        when not d.is_described or d.log_value is null then null
        when d.bound = 'interval' or d.ruling = 'logical_floor' then null
        when d.ruling = 'part_of_total' then c.part_below_total
        when d.ruling = 'stale_floor' then c.overshoot_undated
        when d.bound not in ('at_least', 'at_most') then null
        when d.source_kind = 'academic' then c.overshoot_study
        when d.period_basis = 'assumed' then c.overshoot_undated
        else c.overshoot_usual
    end as offset_sd,
    coalesce(d.rate_fact_id, d.relay_of, (
        select max(p.fact_id) from pairs as p
        where p.rate_fact_id = d.fact_id
    )) as used_with_fact_id,
    d.contradiction,
    coalesce(d.contradicts_fact_ids, []::varchar[]) as contradicts_fact_ids,
    list_sort(list_distinct(list_concat(
        list_filter([d.citation_id, d.rate_citation_id], lambda x: x is not null),  -- noqa: RF02
        coalesce(d.contradicts_citation_ids, []::varchar[])
    ))) as citation_ids
from paired as d
cross join constants as c
left join staging.stg_reference__assumptions as n on n.name = 'obs_sd_' || d.noise_family || '_t' || d.tier
left join staging.stg_reference__assumptions as b
    on b.name = case
        when d.rate_fact_id is not null then 'obs_bias_removal_rate'
        else 'obs_bias_' || d.noise_family || '_t' || d.tier
    end
