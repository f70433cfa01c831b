/*---
description: Its newest models (ten at most)
---*/
select
    model_name,
    released_on,
    date_kind,
    is_open_weights,
    verification
from marts.model_release
where company_id = getvariable('company_id')
order by released_on desc nulls last, model_id
limit 10
