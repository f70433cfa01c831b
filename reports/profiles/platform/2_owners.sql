/*---
description: Who owns it, in the newest month
---*/
select
    company_id,
    owned_part,
    is_in_totals,
    is_short
from marts.company_platform
where
    platform_id = getvariable('platform_id')
    and month = (select max(newest.month) from marts.company_platform as newest)
order by company_id
