/*---
description: Boards and platforms whose newest data are older than their bound today; a board that is makes `datamoat status` exit 1
---*/
select
    series_kind,
    series_id,
    newest_on,
    stale_since_on,
    series_kind <> 'board' as is_good
from marts.series_freshness
where stale_since_on <= getvariable('today')
