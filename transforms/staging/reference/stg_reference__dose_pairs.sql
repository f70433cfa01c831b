/*---
description: >
  Two models of one family and how many times the training data of the earlier one the later one had: the ratio of two
  disclosed values, or the ratio that the later report states itself.
grain: [pair_id]
nullable: [disclosure_id_from, value_from, value_to, dose_ratio, unusable_reason, note]
caveats:
  - Something else changes in every pair, mostly the parameters; the note states what.
---*/

select
    p.pair_id,
    p.family,
    p.model_id_from,
    p.model_id_to,
    p.quantity,
    p.stage_kind,
    p.disclosure_id_from,
    p.disclosure_id_to,
    f.value as value_from,
    case when f.disclosure_id is not null then t.value end as value_to,
    case
        when p.unusable_reason = 'unit_differs' then null
        when f.disclosure_id is null then t.value
        else t.value / f.value
    end as dose_ratio,
    case
        when f.disclosure_id is null or f.bound = 'exact' then t.bound
        when f.bound = 'at_least' and t.bound in ('exact', 'about') then 'at_most'
        when f.bound = 'at_most' and t.bound in ('exact', 'about') then 'at_least'
        when t.bound = 'at_least' and f.bound = 'about' then 'at_least'
        else 'about'
    end as dose_ratio_bound,
    p.is_usable,
    p.unusable_reason,
    list_sort(list_distinct(list_filter([f.citation_id, t.citation_id], lambda x: x is not null)))  -- noqa: RF02
        as citation_ids,
    p.note
from raw.reference__dose_pairs as p
inner join raw.reference__training_disclosures as t on p.disclosure_id_to = t.disclosure_id
left join raw.reference__training_disclosures as f on p.disclosure_id_from = f.disclosure_id
