/*---
description: The specifications of the association between volume and rank, fixed before any number was looked at (decision 0010).
grain: [definition_id]
rows: {min: 1}
---*/

select
    definition_id,
    title as definition_title,
    text as definition_text,
    is_headline,
    population,
    representative,
    volume_measure as measure,
    statistic,
    access as access_counted,
    volume_at,
    reason as definition_reason
from raw.reference__moat_definitions
