/*---
description: Its disclosed resources, newest of each quantity
---*/
select
    quantity,
    as_of_on,
    figure_as_stated,
    verification,
    citation_id
from marts.company_resources
where company_id = getvariable('company_id')
qualify row_number() over (partition by quantity order by as_of_on desc nulls last, resource_id) = 1
order by quantity
