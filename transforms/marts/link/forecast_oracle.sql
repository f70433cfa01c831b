/*---
description: >
  The ratings that past forecasts were about, in the layout of hubverse oracle output: forecast_quantile is scored against it by board and entry.
grain: [board_id, entry_key]
rows: {min: 30}
---*/

select
    board_id,
    entry_key,
    max(rating) as oracle_value
from intermediate.int_moat__forecast
where is_retrospective
group by board_id, entry_key
order by board_id, entry_key
