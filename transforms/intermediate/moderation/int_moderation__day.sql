/*---
description: >
  Decisions of moderation by platform, day and kind, each day of the aggregates, and each day and platform
  of the single decisions, from its newest vintage; the totals of all platforms stand
  under the platform all.
grain: [platform_id, received_on, content_kind, decision_kind, found_by, moderation_basis]
nullable: [captured_on, first_week_share, citation_id]
---*/

with names as (
    select
        platform_id,
        lower(name) as name
    from staging.stg_reference__platforms
),

aggregates as (
    select
        platform_name,
        received_on,
        content_kind,
        decision_kind,
        is_detected_by_machine,
        'aggregate' as moderation_basis,
        captured_on,
        n_statements,
        is_lower_bound,
        null::double as first_week_share
    from staging.stg_dsa_aggregates__statements
),

dumps as (
    select
        platform_name,
        received_on,
        content_kind,
        decision_kind,
        is_detected_by_machine,
        'dump' as moderation_basis,
        captured_on,
        sum(n_statements)::bigint as n_statements,
        false as is_lower_bound,
        (sum(case when content_age_bucket in ('0-1', '2-7') then n_statements else 0 end))::double
        / nullif(sum(case when content_age_bucket not in ('unknown', 'impossible') then n_statements else 0 end), 0)
            as first_week_share
    from staging.stg_dsa_statements__statements
    group by all
),

statements as (
    select * from aggregates
    union all
    select * from dumps
),

newest as (
    select *
    from statements
    qualify
        captured_on = max(captured_on) over (
            partition by moderation_basis, received_on, case when moderation_basis = 'dump' then platform_name end
        )
)

select
    coalesce(
        names.platform_id,
        'unmatched:eu_dsa:' || regexp_replace(lower(newest.platform_name), '[^a-z0-9]+', '-', 'g')
    ) as platform_id,
    newest.received_on,
    newest.content_kind,
    newest.decision_kind,
    case when newest.is_detected_by_machine then 'machine' else 'person' end as found_by,
    newest.moderation_basis,
    newest.captured_on,
    newest.n_statements,
    newest.is_lower_bound,
    newest.first_week_share,
    null::varchar as citation_id
from newest
left join names on lower(newest.platform_name) = names.name

union all

select
    'all' as platform_id,
    received_on,
    'all' as content_kind,
    'all' as decision_kind,
    'all' as found_by,
    'daily_total' as moderation_basis,
    null::date as captured_on,
    n_statements_counted as n_statements,
    false as is_lower_bound,
    null::double as first_week_share,
    citation_id
from staging.stg_reference__dsa_daily_totals
