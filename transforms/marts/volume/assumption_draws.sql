/*---
description: >
  Draws of every assumption that acts after the fit: access, near-duplicates, retention rates, public and licensed hours. Scope gives
  whose number it is: all, a platform, a company, or a company and platform. Draw numbers are those of every other table.
grain: [assumption_name, scope, draw]
rows: {min: 10000}
---*/

select
    assumption_name,
    scope,
    draw,
    assumption_value,
    [assumption_id] as assumption_ids
from intermediate.int_volume__assumption_draws
order by assumption_name, scope, draw
