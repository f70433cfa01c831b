/*---
description: The answer as one object; as_of is the day of the newest input as in `datamoat status`, as_of_on that of the captures each row is about.
---*/

select
    (select as_of from meta.build) as as_of,
    (select build_id from meta.build) as build_id,
    min(sentence) filter (where as_of_kind = 'newest') as sentence,
    list(
        {
            'as_of_kind': as_of_kind, 'as_of_on': as_of_on, 'question_id': question_id, 'question': question, 'estimate': estimate,
            'estimate_p05': estimate_p05, 'estimate_p95': estimate_p95, 'unit': unit, 'p_permutation': p_permutation,
            'min_possible_p': min_possible_p, 'n_companies': n_companies, 'n_owners': n_owners, 'n_models': n_models,
            'verdict': verdict, 'verdict_reason': verdict_reason, 'verdict_text': verdict_text,
            'what_would_change_it': what_would_change_it, 'rests_on_unverified': rests_on_unverified
        }
        order by as_of_kind, as_of_on, question_number
    ) as questions
from marts.moat_answer
