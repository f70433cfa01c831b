/*---
description: Every video generator with a disclosure is in the register, and counts to the company the disclosure names.
severity: critical
---*/

select
    d.disclosure_id,
    d.model_id,
    d.company_id
from marts.training_disclosure as d
left join marts.model_release as m on d.model_id = m.model_id
where
    d.model_kind = 'video_generator'
    and (m.model_id is null or m.company_id <> d.company_id)
