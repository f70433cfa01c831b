/*---
description: How many decisions of moderation the EU DSA Transparency Database holds for each day, all platforms together.
grain: [received_on]
nullable: [parquet_bytes]
caveats:
  - A decision is not an upload; no estimate of hours reads this table.
---*/

select
    received_on,
    n_statements_counted,
    n_statements_listed,
    csv_bytes,
    zip_bytes,
    parquet_bytes,
    citation_id
from raw.reference__dsa_daily_totals
