/*---
description: Decisions by platform, day, kind of content and of decision, from the publisher's daily aggregates, one row for each vintage.
grain: [platform_name, received_on, content_kind, decision_kind, is_detected_by_machine, captured_on]
caveats:
  - A decision is not an upload; no estimate of hours reads this table.
---*/

select
    platform_name,
    received_on,
    content_kind,
    decision_kind,
    is_detected_by_machine,
    _captured_on as captured_on,
    n_statements,
    _is_cut as is_lower_bound
from raw.dsa_aggregates__counts
qualify _capture = max(_capture) over (partition by received_on, _captured_on)
