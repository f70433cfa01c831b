/*---
description: The sentence over six questions counts the verdicts of its own rows, and there are six of them for every choice of captures.
severity: critical
---*/
select
    as_of_kind,
    as_of_on,
    min(sentence) as sentence
from marts.moat_answer
group by as_of_kind, as_of_on
having
    count(*) <> 6
    or count(distinct sentence) <> 1
    or not contains(min(sentence), ' support ' || count(*) filter (where verdict = 'supported'))
    or not contains(min(sentence), ' speak against ' || count(*) filter (where verdict = 'not_supported'))
    or not contains(min(sentence), ' cannot decide ' || count(*) filter (where verdict = 'cannot_tell'))
