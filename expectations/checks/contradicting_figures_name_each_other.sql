/*---
description: >
  A statistic that contradicts another source's is named by it in turn, with both citations.
severity: critical
---*/

select
    a.fact_id,
    b.fact_id as other_fact_id
from marts.platform_observation as a
inner join marts.platform_observation as b on list_contains(a.contradicts_fact_ids, b.fact_id)
where not list_contains(b.contradicts_fact_ids, a.fact_id)
