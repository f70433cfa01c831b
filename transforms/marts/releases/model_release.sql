/*---
description: Every model of the register with the day it came out, over every source that gives one.
grain: [model_id]
nullable:
  - released_on
  - date_kind
  - released_on_low
  - released_on_high
  - is_open_weights
  - license
  - parameters_billion
  - base_model_id
  - predecessor_model_id
  - first_seen_on
caveats:
  - Sources differ by up to months, because showing and selling are two days; the range holds every source.
  - Some models were on a board before their release; first_seen_on can precede released_on.
  - A date that is only remembered is not shown.
---*/

select
    models.model_id,
    models.model_name,
    models.family,
    models.version,
    models.lab_id,
    labs.company_id,
    releases.released_on,
    releases.date_kind,
    releases.released_on_low,
    releases.released_on_high,
    releases.n_sources,
    releases.first_seen_on,
    models.is_open_weights,
    models.license,
    models.parameters_billion,
    models.modalities,
    models.base_model_id,
    models.predecessor_model_id,
    models.verification,
    releases.citation_ids
from staging.stg_reference__models as models
inner join staging.stg_reference__labs as labs on models.lab_id = labs.lab_id
inner join intermediate.int_model__release as releases on models.model_id = releases.model_id
