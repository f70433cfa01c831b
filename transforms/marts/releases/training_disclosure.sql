/*---
description: >
  Every quantity of training data or compute that a report gives for a model, by stage, and every report that gives none.
  Available is not used: these are the only numbers on what was used, and most makers give none.
grain: [model_id, quantity, stage, citation_id]
nullable: [value, value_low, value_high, figure_as_stated, note, available_hours_p05, available_hours_p50, available_hours_p95, disclosed_to_available_ratio_p50]
caveats:
  - available_hours is what we estimate the company could reach in the month of release; it is empty where the value is unverified or the release day unknown.
  - Raw pools in hours are lower bounds of available_hours; they have no ratio, because they would be compared with themselves.
  - Quantities differ in kind; clips, hours and tokens of two reports are not one scale, and stages of one report overlap.
  - Rows with is_derived are arithmetic on stated values; the note names the rule. UNVERIFIED rows are unverified facts.
  - A filed value is the top band of an open-ended scale, for a general model and not for its maker's video generator.
---*/

select
    d.model_id,
    d.quantity,
    d.stage,
    d.citation_id,
    d.disclosure_id,
    d.company_id,
    c.name as company_name,
    d.model_kind,
    d.stage_kind,
    d.value,
    d.value_low,
    d.value_high,
    d.bound,
    d.is_derived,
    d.source_kind,
    d.tier,
    d.figure_as_stated,
    d.verification,
    e.available_hours_p05,
    e.available_hours_p50,
    e.available_hours_p95,
    e.disclosed_to_available_ratio_p50,
    coalesce(e.citation_ids, [d.citation_id]) as citation_ids,
    coalesce(e.assumption_ids, []::varchar[]) as assumption_ids,
    d.note
from staging.stg_reference__training_disclosures as d
inner join staging.stg_reference__companies as c on d.company_id = c.company_id
left join intermediate.int_moat__disclosure as e on d.disclosure_id = e.disclosure_id
order by d.model_id, d.quantity, d.stage, d.citation_id
