/*---
description: >
  The answer: six questions with one verdict each, by a rule fixed in advance (docs/decisions/0060), on the newest complete captures, on those nearest to the day of the story and on the last of every
  quarter. `sentence` states all six verdicts and is the same on each row of a choice of captures.
grain: [as_of_kind, as_of_on, question_id]
nullable: [interval_text, estimate, estimate_p05, estimate_p95, p_permutation, min_possible_p, n_owners_needed, estimate_without_size]
rows: {min: 6}
caveats:
  - An association is not a cause. Owners of platforms are also large companies; question `size` asks about that, and no public table holds compute or talent.
  - With six or seven owners only strong effects can show; min_possible_p and n_owners_needed show how far the data reach.
  - Days and quarters share models; their verdicts are not independent evidence and are not to be counted.
---*/

select
    as_of_kind,
    as_of_on,
    question_id,
    question_number,
    question,
    estimate,
    estimate_p05,
    estimate_p95,
    interval_text,
    unit,
    smallest_effect,
    p_permutation,
    min_possible_p,
    estimate_without_size,
    n_companies,
    n_owners,
    n_models,
    n_owners_needed,
    verdict,
    verdict_reason,
    verdict_text,
    what_would_change_it,
    perturbations_that_differ,
    array_length(unverified_platforms) > 0 as rests_on_unverified,
    unverified_platforms,
    sentence,
    captures,
    citation_ids,
    assumption_ids
from intermediate.int_moat__statement
order by as_of_kind, as_of_on, question_number
