/*---
description: The register of models that make video, one row a version. Dates are as transcribed, to the year, month or day.
grain: [model_id]
nullable:
  - base_model_id
  - predecessor_model_id
  - released_as_stated
  - announced_as_stated
  - is_open_weights
  - license
  - parameters_billion
  - max_seconds
  - max_resolution
  - note
---*/

select
    model_id,
    model_name,
    family,
    version,
    lab_id,
    base_model_id,
    predecessor_model_id,
    released_on as released_as_stated,
    announced_on as announced_as_stated,
    is_open_weights,
    license,
    parameters_billion,
    string_split(modalities, ';') as modalities,
    max_seconds,
    max_resolution,
    citation_id,
    verification,
    note
from raw.reference__models
