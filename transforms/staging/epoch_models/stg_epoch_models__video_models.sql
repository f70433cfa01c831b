/*---
description: Models with video in their domain on Epoch AI's lists, one row per model, list and capture.
grain: [list_name, captured_on, model_name, nth]
nullable: [organization_names, country_names, task_names, first_published_on, released_as_stated, n_parameters, training_compute_flop, dataset_size_as_stated, dataset_size_header, confidence, model_accessibility, url]
caveats:
  - The unit of dataset_size_as_stated differs from row to row; it is text and enters no sum. What is known of hours is in training disclosures.
---*/

select
    _request as list_name,
    _captured_on as captured_on,
    _snapshot_id as snapshot_id,
    model as model_name,
    nth::integer as nth,
    string_split(organization, ',') as organization_names,
    string_split(country, ',') as country_names,
    string_split(task, ',') as task_names,
    case
        when regexp_full_match(publication_date, '\d{4}-\d{2}-\d{2}') then try_cast(publication_date as date)
    end as first_published_on,
    publication_date as released_as_stated,
    try_cast(parameters as double) as n_parameters,
    try_cast(training_compute_flop as double) as training_compute_flop,
    dataset_size as dataset_size_as_stated,
    dataset_size_header,
    confidence,
    model_accessibility,
    link as url
from raw.epoch_models__models
where list_contains(list_transform(string_split_regex(lower(domain), '[,;]'), lambda part: trim(part)), 'video')
