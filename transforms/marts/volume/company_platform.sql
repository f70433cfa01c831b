/*---
description: >
  Which platforms each company owns in each month, the part of the world that this covers, and whose assumption gives the share
  its labs may reach. With assumption_draws and platform_volume_draws this is all that company_volume is made from.
grain: [company_id, platform_id, month]
nullable: [access_id]
rows: {min: 1000}
caveats:
  - Owning is not using. Where no statement about access is on record, the usual share of an owner is taken.
  - The state on the month's last day counts.
---*/

select
    company_id,
    platform_id,
    month,
    owned_part,
    is_in_totals,
    is_short,
    access_id,
    scope,
    citation_ids,
    [assumption_id] as assumption_ids
from intermediate.int_company__platform_access
order by company_id, platform_id, month
