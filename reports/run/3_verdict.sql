/*---
description: Does owning video go with better models? The verdicts on the newest captures (datamoat answer gives the reasons)
---*/

select
    question_id as question,
    round(estimate, 2) as estimate,
    round(estimate_p05, 2) as p05,
    round(estimate_p95, 2) as p95,
    unit,
    verdict,
    verdict_reason as because
from marts.moat_answer
where as_of_kind = 'newest'
order by question_number
