/*---
description: Decisions by platform, day, kind of content and of decision, counted from the publisher's single decisions, one row for each capture.
grain: [platform_name, received_on, content_kind, decision_kind, is_detected_by_machine, content_age_bucket, captured_on]
caveats:
  - A decision is not an upload; no estimate of hours reads this table.
  - Of several files of one platform and day that were captured on one day, the last one added counts.
---*/

select
    platform_name,
    received_on,
    content_kind,
    decision_kind,
    is_detected_by_machine,
    content_age_bucket,
    _captured_on as captured_on,
    n_statements,
    n_late
from raw.dsa_statements__counts
qualify _capture = max(_capture) over (partition by platform_name, received_on, _captured_on)
