/*---
description: A later vintage of a day of decisions has at most one per cent fewer decisions than an earlier one.
severity: warning
---*/

with vintages as (
    select
        received_on,
        captured_on,
        sum(n_statements) as n_statements
    from staging.stg_dsa_aggregates__statements
    group by received_on, captured_on
)

select
    later.received_on,
    earlier.captured_on as earlier_on,
    later.captured_on as later_on,
    earlier.n_statements as n_earlier,
    later.n_statements as n_later
from vintages as later
inner join vintages as earlier
    on later.received_on = earlier.received_on and later.captured_on > earlier.captured_on
where later.n_statements < 0.99 * earlier.n_statements
