/*---
description: >
  Videos that a platform's own report states as removed in states of the EU, beside the removals of video it reported to the
  EU's database, by quarter. A difference is a finding; the two are never averaged.
grain: [platform_id, period_start_on, moderation_basis]
nullable: [removed_to_statements_ratio]
caveats:
  - A decision is not an upload. The report counts videos, the database decisions; one video may have several.
  - The report names some states only (n_states of 27), and counts a video where it was uploaded; the database holds decisions
    for the whole EU.
  - A ratio is given only where decisions are there for nine in ten days of the quarter; cross_check_status states why there is
    none. The one quarter whose report names states, July to September 2023, has six days in the database.
  - is_lower_bound is true where a file of the database was cut.
---*/

with reported as (
    select
        platform_id,
        period_start_on,
        period_end_on,
        sum(value) as n_reported_removed,
        count(distinct geography) as n_states,
        list_sort(array_agg(distinct citation_id)) as citation_ids
    from staging.stg_reference__platform_observations
    where
        metric = 'videos_removed'
        and is_usable
        and verification <> 'UNVERIFIED'
        and geography in (
            'at', 'be', 'bg', 'cy', 'cz', 'de', 'dk', 'ee', 'es', 'fi', 'fr', 'gr', 'hr', 'hu',
            'ie', 'it', 'lt', 'lu', 'lv', 'mt', 'nl', 'pl', 'pt', 'ro', 'se', 'si', 'sk'
        )
    group by platform_id, period_start_on, period_end_on
),

stated as (
    select
        reported.platform_id,
        reported.period_start_on,
        d.moderation_basis,
        sum(d.n_statements)::bigint as n_statements,
        count(distinct d.received_on) as n_days,
        bool_or(d.is_lower_bound) as is_lower_bound
    from reported
    inner join intermediate.int_moderation__day as d
        on
            reported.platform_id = d.platform_id
            and d.received_on between reported.period_start_on and reported.period_end_on
    where d.decision_kind in ('removed', 'disabled') and d.content_kind in ('video', 'video_and_other', 'synthetic')
    group by reported.platform_id, reported.period_start_on, d.moderation_basis
),

compared as (
    select
        reported.platform_id,
        reported.period_start_on,
        coalesce(stated.moderation_basis, 'none') as moderation_basis,
        reported.period_end_on,
        reported.n_reported_removed::double as n_reported_removed,
        reported.n_states,
        coalesce(stated.n_statements, 0) as n_statements,
        coalesce(stated.n_days, 0) as n_days,
        coalesce(stated.is_lower_bound, false) as is_lower_bound,
        case
            when stated.n_days is null then 'no_decisions'
            when stated.n_days < 0.9 * (date_diff('day', reported.period_start_on, reported.period_end_on) + 1)
                then 'days_missing'
            else 'compared'
        end as cross_check_status,
        reported.citation_ids
    from reported
    left join stated using (platform_id, period_start_on)
)

select
    platform_id,
    period_start_on,
    moderation_basis,
    period_end_on,
    n_reported_removed,
    n_states,
    n_statements,
    n_days,
    is_lower_bound,
    cross_check_status,
    case when cross_check_status = 'compared' then n_reported_removed / n_statements end as removed_to_statements_ratio,
    citation_ids
from compared
order by platform_id, period_start_on, moderation_basis
