/*---
description: The state of each source in the published file; `datamoat status` adds what has landed since
---*/
select
    source_id,
    status,
    reason,
    status not in ('failing', 'late') as is_good
from marts.source_freshness
