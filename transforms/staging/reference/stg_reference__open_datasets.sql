/*---
description: Open or described video datasets, with what their makers state of size and origin.
grain: [dataset_id]
nullable:
  - released_as_stated
  - owner
  - n_items
  - n_hours
  - hours_basis
  - mean_item_seconds
  - resolution
  - origin
  - origin_platform_id
  - licence_as_stated
  - citation_id
  - note
---*/

select
    dataset_id,
    name,
    released_on as released_as_stated,
    owner,
    n_items,
    item_kind,
    n_hours,
    hours_basis,
    mean_item_seconds,
    resolution,
    origin,
    origin_platform_id,
    licence as licence_as_stated,
    citation_id,
    verification,
    note
from raw.reference__open_datasets
