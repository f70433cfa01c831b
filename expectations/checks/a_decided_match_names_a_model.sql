/*---
description: A match that is confirmed, probable, version_only or parse_error names a model of the register; ambiguous and source_only rows name none.
severity: critical
---*/

select
    source_id,
    entry_key,
    match_status,
    model_id
from marts.entity_match
where
    (match_status in ('confirmed', 'probable', 'version_only', 'parse_error')) <> (model_id not like 'unmatched:%')
