/*---
description: Average monthly active recipients in the EU as platforms reported them, one row per platform, half year, scope and report that changed the value.
grain: [platform_id, period_start_on, geography, captured_on]
nullable: [n_active_users, figure_as_stated]
caveats:
  - The member states need not add up to the Union.
  - A report without a number keeps its row, with the number missing.
---*/

select
    _request as platform_id,
    service as service_name,
    period_start as period_start_on,
    period_end as period_end_on,
    scope as geography,
    _captured_on as captured_on,
    _snapshot_id as snapshot_id,
    value::bigint as n_active_users,
    value_as_stated as figure_as_stated
from raw.eu_active_recipients__recipients
qualify
    row_number() over (partition by _request, period_start, scope order by _captured_on) = 1
    or value is distinct from lag(value) over (partition by _request, period_start, scope order by _captured_on)
