/*---
description: >
  Decisions of platforms to restrict content or accounts in the EU, by day they were received: from the publisher's daily
  aggregates (aggregate), its single decisions (dump), and its totals of all platforms (daily_total, platform all).
grain: [platform_id, received_on, content_kind, decision_kind, found_by, moderation_basis]
nullable: [captured_on, first_week_share, citation_id]
rows: {min: 600}
caveats:
  - A decision is not an upload. These counts feed no estimate of hours.
  - A file of exactly 5,000 rows was cut by the publisher; its counts are lower bounds.
  - Back-fills, outages and changes of a platform's own rules move the counts; regime_id gives the stretch that a day is in.
---*/

select
    d.platform_id,
    d.received_on,
    d.content_kind,
    d.decision_kind,
    d.found_by,
    d.moderation_basis,
    d.captured_on,
    d.n_statements,
    d.is_lower_bound,
    r.regime_id,
    d.first_week_share,
    d.citation_id
from intermediate.int_moderation__day as d
inner join intermediate.int_moderation__regime as r
    on
        d.platform_id = r.platform_id
        and d.moderation_basis = r.moderation_basis
        and d.received_on between r.begins_on and r.ends_on
order by
    d.platform_id, d.received_on, d.content_kind, d.decision_kind, d.found_by, d.moderation_basis
