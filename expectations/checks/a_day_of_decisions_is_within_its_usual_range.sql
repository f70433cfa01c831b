/*---
description: A day's decisions are within 0.4 and 2.5 times the median of the 28 days before, unless a declared event gives the reason.
severity: warning
---*/

with daily as (
    select
        platform_id,
        moderation_basis,
        received_on,
        sum(n_statements) as n_statements
    from marts.moderation_day
    where moderation_basis <> 'daily_total'
    group by platform_id, moderation_basis, received_on
),

usual as (
    select
        later.platform_id,
        later.moderation_basis,
        later.received_on,
        later.n_statements,
        median(earlier.n_statements) as usual,
        count(*) as n_days
    from daily as later
    inner join daily as earlier
        on
            later.platform_id = earlier.platform_id
            and later.moderation_basis = earlier.moderation_basis
            and earlier.received_on between later.received_on - 28 and later.received_on - 1
    group by later.platform_id, later.moderation_basis, later.received_on, later.n_statements
)

select
    usual.platform_id,
    usual.moderation_basis,
    usual.received_on,
    usual.n_statements,
    usual.usual
from usual
where
    usual.n_days >= 14
    and usual.n_statements not between 0.4 * usual.usual and 2.5 * usual.usual
    and not exists (
        select 1
        from staging.stg_reference__platform_events as e
        where e.platform_id = usual.platform_id and abs(e.starts_on - usual.received_on) <= 7
    )
