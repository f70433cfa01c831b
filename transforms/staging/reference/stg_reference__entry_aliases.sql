/*---
description: Which model a source's key means and from when to when, as decided by a person.
grain: [source_id, entry_key, valid_from]
nullable: [valid_to, model_id, lab_id, variant_tier, variant_resolution, variant_checkpoint, has_audio, hosted_by]
---*/

select
    source_id,
    entry_key,
    valid_from,
    valid_to,
    match_status,
    model_id,
    lab_id,
    tier as variant_tier,
    resolution as variant_resolution,
    checkpoint as variant_checkpoint,
    has_audio,
    hosted_by,
    rule,
    evidence,
    citation_id
from raw.reference__entry_aliases
