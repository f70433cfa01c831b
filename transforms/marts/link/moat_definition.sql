/*---
description: >
  The definitions of "volume goes with rank", written down and committed before any number was looked at, headline first (docs/decisions/0010).
grain: [definition_id]
rows: {min: 10}
caveats:
  - Definitions other than the headline vary one thing at a time, so that it is seen what the answer hangs on.
---*/

select
    definition_id,
    definition_title as title,
    definition_text as text,
    is_headline,
    population,
    representative,
    measure,
    statistic,
    access_counted,
    volume_at,
    definition_reason
from staging.stg_reference__moat_definitions
order by is_headline desc, definition_id asc
