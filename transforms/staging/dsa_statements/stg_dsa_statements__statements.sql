/*---
description: Decisions by platform, day, kind of content and of decision, counted from the publisher's single decisions, one row for each capture.
grain: [platform_name, received_on, content_kind, decision_kind, is_detected_by_machine, content_age_bucket, captured_on]
caveats:
  - A decision is not an upload; no estimate of hours reads this table.
  - A day is counted once for each capture whatever number of files it came in.
---*/

select
    platform_name,
    received_on,
    content_kind,
    decision_kind,
    is_detected_by_machine,
    content_age_bucket,
    _captured_on as captured_on,
    sum(n_statements)::bigint as n_statements,
    sum(n_late)::bigint as n_late
from raw.dsa_statements__counts
group by all
