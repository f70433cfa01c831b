/*---
description: An alias and a disclosure count to the lab or company of their model.
fix: give the lab of the model, or another model.
---*/

select
    'entry_aliases' as file_name,
    aliases.line,
    aliases.entry_key || ' counts to ' || coalesce(aliases.lab_id, 'no lab') || '; right would be ' || models.lab_id
    || ', the lab of ' || models.model_id as wrong
from entry_aliases as aliases
inner join models on aliases.model_id = models.model_id
where aliases.lab_id is distinct from models.lab_id
union all
select
    'training_disclosures' as file_name,
    disclosures.line,
    disclosures.disclosure_id || ' counts to ' || disclosures.company_id || '; right would be ' || labs.company_id
    || ', the company of ' || models.model_id as wrong
from training_disclosures as disclosures
inner join models on disclosures.model_id = models.model_id
inner join labs on models.lab_id = labs.lab_id
where disclosures.company_id <> labs.company_id
