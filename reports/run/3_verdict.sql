/*---
description: Does owning video go with better models? The verdicts on the newest captures (datamoat answer gives the reasons)
---*/

select
    question_id as question,
    interval_text as estimate_90,
    unit,
    replace(verdict, '_', ' ') as verdict,
    replace(verdict_reason, '_', ' ') as because
from marts.moat_answer
where as_of_kind = 'newest'
order by question_number
