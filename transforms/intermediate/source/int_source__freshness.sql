/*---
description: How each source is on the build's date - when it was last asked, when it last answered with something usable, when that last changed.
grain: [source_id]
nullable: [last_attempt_at, last_success_at, last_change_on, expected_every]
caveats:
  - Late is measured against the newest input of the build, not against a clock; `datamoat status` measures against today.
---*/

with answers as (
    select
        source_id,
        retrieved_at,
        captured_on,
        verdict,
        is_served,
        reason,
        row_number() over (partition by source_id order by retrieved_at desc, snapshot_id desc) as recency
    from meta.snapshots
    where retrieved_at is not null
),

summed as (
    select
        source_id,
        max(retrieved_at) as last_attempt_at,
        max(case when is_served then retrieved_at end) as last_success_at,
        max(case when is_served and verdict <> 'unchanged' then captured_on end) as last_change_on,
        max(case when recency = 1 then verdict end) as last_verdict,
        max(case when recency = 1 then reason end) as last_reason
    from answers
    group by source_id
),

joined as (
    select
        sources.source_id,
        summed.last_attempt_at,
        summed.last_success_at,
        summed.last_change_on,
        summed.last_verdict,
        summed.last_reason,
        sources.expected_every,
        date_diff('day', summed.last_success_at::date, getvariable('as_of')::date) as silent_for,
        sources.expected_days
    from meta.sources as sources
    left join summed on sources.source_id = summed.source_id
)

select
    source_id,
    last_attempt_at,
    last_success_at,
    last_change_on,
    expected_every,
    case
        when last_attempt_at is null then 'reference_only'
        when last_verdict in ('suspicious', 'error') then 'failing'
        when silent_for > 2 * expected_days then 'late'
        when last_verdict = 'unchanged' then 'unchanged'
        else 'fresh'
    end as freshness_status,
    case
        when last_attempt_at is null then 'Only transcribed facts are held; nothing was fetched.'
        when last_verdict in ('suspicious', 'error')
            then 'The newest answer is ' || last_verdict || ': ' || coalesce(last_reason, 'no reason given')
        when silent_for > 2 * expected_days
            then
                'The last usable answer is ' || silent_for || ' days older than the newest input; it is expected '
                || expected_every || '.'
        when last_verdict = 'unchanged' then 'The newest answer says the same as the one before.'
        else 'The newest answer is usable and new.'
    end as freshness_reason
from joined
