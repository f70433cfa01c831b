/*---
description: Every model, laboratory and company an entry counts to is in our tables, or is marked as unmatched.
severity: critical
---*/

select distinct
    entries.board_id,
    entries.entry_key,
    entries.model_id,
    entries.lab_id,
    entries.company_id
from marts.leaderboard as entries
left join marts.model_release as models on entries.model_id = models.model_id
left join staging.stg_reference__labs as labs on entries.lab_id = labs.lab_id
left join staging.stg_reference__companies as companies on entries.company_id = companies.company_id
where
    (entries.model_id not like 'unmatched:%' and models.model_id is null)
    or (entries.lab_id not like 'unmatched:%' and labs.lab_id is null)
    or (entries.company_id not like 'unmatched:%' and companies.company_id is null)
    or (labs.company_id is not null and labs.company_id <> entries.company_id)
