/*---
description: Which model, laboratory and company each key of each source means, from when, and why. Nothing is dropped; what nobody has decided is marked.
grain: [source_id, entry_key, valid_from]
nullable: [valid_to, variant, has_audio, creator_name, first_seen_on, last_seen_on]
caveats:
  - No source's key is stable; the dates say when a row holds.
  - A rule never decides. Where one proposes a model for an undecided key, `evidence` names it.
---*/

select
    source_id,
    entry_key,
    valid_from,
    valid_to,
    names_seen,
    creator_name,
    match_status,
    is_curated,
    model_id,
    lab_id,
    company_id,
    variant,
    has_audio,
    rule,
    evidence,
    first_seen_on,
    last_seen_on,
    is_on_latest,
    citation_id
from intermediate.int_entry__match
