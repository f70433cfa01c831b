/*---
description: >
  What a report gives of a model's training data or compute, or the record that it gives nothing, and the lower bounds
  that providers of general models filed in the EU.
grain: [disclosure_id]
nullable: [value, value_low, value_high, figure_as_stated, note]
---*/

select
    disclosure_id,
    model_id,
    model_kind,
    company_id,
    quantity,
    stage,
    stage_kind,
    value,
    value_low,
    value_high,
    bound,
    is_derived,
    source_kind,
    tier::integer as tier,
    figure_as_stated,
    verification,
    citation_id,
    note
from raw.reference__training_disclosures
