/*---
description: >
  Every public statistic of a platform that we hold, whether the volume model reads it, and why not where it does not.
grain: [fact_id]
nullable:
  - value_low
  - value_high
  - observed_on
  - publisher
  - unused_reason
  - used_with_fact_id
  - contradiction
  - supersedes_fact_id
  - note
caveats:
  - Statistics of the same thing stay side by side when they disagree; contradicts_fact_ids names the others.
  - A row with period_basis assumed speaks for a period its page does not state.
  - UNVERIFIED rows are unverified facts and enter no estimate.
---*/

select
    o.fact_id,
    o.platform_id,
    o.metric,
    o.value,
    o.value_low,
    o.value_high,
    o.bound,
    o.unit,
    o.period_start_on,
    o.period_end_on,
    o.observed_on,
    o.period_basis,
    o.geography,
    o.publisher,
    o.originator,
    o.source_kind,
    o.tier,
    o.verification,
    u.is_used,
    u.unused_reason,
    u.used_with_fact_id,
    u.contradiction,
    u.contradicts_fact_ids,
    o.supersedes_fact_id,
    o.figure_as_stated,
    o.citation_id,
    o.note
from intermediate.int_platform__observation as o
inner join intermediate.int_platform__observation_use as u on o.fact_id = u.fact_id
order by o.fact_id
