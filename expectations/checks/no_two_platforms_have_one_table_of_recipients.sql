/*---
description: No two platforms have the same recipients in most states of the Union; that is one table under two names.
severity: critical
---*/
select
    a.platform_id,
    b.platform_id as other_platform_id,
    count(distinct a.geography) as n_equal
from staging.stg_eu_active_recipients__recipients as a
inner join staging.stg_eu_active_recipients__recipients as b
    on a.platform_id < b.platform_id and a.geography = b.geography and a.n_active_users = b.n_active_users
group by a.platform_id, b.platform_id
having count(distinct a.geography) > 14
