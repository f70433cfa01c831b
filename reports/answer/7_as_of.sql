/*---
description: As of when, and from which day on it is stale
---*/
select
    series_id as board,
    newest_on as newest_complete_capture,
    expected_every_days as expected_every_n_days,
    stale_since_on as stale_since
from marts.series_freshness
where series_kind = 'board'
order by series_id
