/*---
description: How each source is on the build's date - when it was last requested, when its last response was accepted, when that last changed; one failing request of several makes it failing.
grain: [source_id]
nullable: [last_attempt_at, last_success_at, last_change_on, expected_every]
caveats:
  - Late is measured against the newest input of the build, not against a clock; `datamoat status` measures against today.
---*/

with answers as (
    select
        source_id,
        request,
        retrieved_at::timestamp as retrieved_at,
        captured_on,
        validation_status,
        is_served::boolean as is_served,
        reason,
        row_number() over (
            partition by source_id, request order by retrieved_at desc, is_served desc, snapshot_id desc
        ) as recency
    from meta.snapshots
    where retrieved_at is not null and captured_on <= getvariable('as_of')::date
),

requests as (
    select
        source_id,
        request,
        max(retrieved_at) as last_attempt_at,
        max(case when is_served then retrieved_at end) as last_success_at,
        max(case when is_served then captured_on end) as last_served_on,
        max(case when is_served and validation_status <> 'unchanged' then captured_on end) as last_change_on,
        max(case when recency = 1 then validation_status end) as last_status,
        max(case when recency = 1 then reason end) as last_reason
    from answers
    group by source_id, request
),

bad as (
    select
        requests.source_id,
        requests.request,
        requests.last_status,
        requests.last_reason,
        requests.last_served_on,
        min(answers.captured_on) as since
    from requests
    inner join answers on requests.source_id = answers.source_id and requests.request = answers.request
    where
        requests.last_status in ('suspicious', 'error')
        and answers.validation_status in ('suspicious', 'error')
        and (requests.last_success_at is null or answers.retrieved_at > requests.last_success_at)
    group by requests.source_id, requests.request, requests.last_status, requests.last_reason, requests.last_served_on
),

problems as (
    select
        source_id,
        string_agg(
            request || ' is ' || case when last_status = 'suspicious' then 'quarantined' else 'failing' end
            || ' since ' || since
            || case
                when last_served_on is null then ', nothing is served'
                else ', the data of ' || last_served_on || ' stay live'
            end
            || ': ' || coalesce(last_reason, 'no reason given'),
            '; ' order by since, request
        ) as bad_reason
    from bad
    group by source_id
),

summed as (
    select
        source_id,
        max(last_attempt_at) as last_attempt_at,
        max(last_success_at) as last_success_at,
        max(last_change_on) as last_change_on,
        bool_and(last_status = 'unchanged') as is_unchanged
    from requests
    group by source_id
),

joined as (
    select
        sources.source_id,
        summed.last_attempt_at,
        summed.last_success_at,
        summed.last_change_on,
        summed.is_unchanged,
        problems.bad_reason,
        sources.expected_every,
        date_diff('day', summed.last_success_at::date, getvariable('as_of')::date) as silent_for,
        sources.expected_days::bigint as expected_days
    from meta.sources as sources
    left join summed on sources.source_id = summed.source_id
    left join problems on sources.source_id = problems.source_id
)

select
    source_id,
    last_attempt_at,
    last_success_at,
    last_change_on,
    expected_every,
    case
        when last_attempt_at is null then 'reference_only'
        when bad_reason is not null then 'failing'
        when silent_for > 2 * expected_days then 'late'
        when is_unchanged then 'unchanged'
        else 'fresh'
    end as freshness_status,
    case
        when last_attempt_at is null then 'Only transcribed facts are held; nothing was fetched.'
        when bad_reason is not null then bad_reason
        when silent_for > 2 * expected_days
            then
                'The last accepted response is ' || silent_for || ' days older than the newest input; it is expected '
                || expected_every || '.'
        when is_unchanged then 'The newest responses are the same as the ones before.'
        else 'The newest response is accepted and new.'
    end as freshness_reason
from joined
