/*---
description: The sentence over six questions counts the verdicts of its own rows, and there are six of them for every choice of captures.
severity: critical
---*/
with numbers as (
    select
        as_of_kind,
        as_of_on,
        min(sentence) as sentence,
        count(*) as n,
        count(distinct sentence) as n_sentences,
        count(*) filter (where verdict = 'supported') as n_supported,
        count(*) filter (where verdict = 'not_supported') as n_against,
        count(*) filter (where verdict = 'cannot_tell') as n_open,
        ['none', 'one', 'two', 'three', 'four', 'five', 'all six'] as words
    from marts.moat_answer
    group by as_of_kind, as_of_on
)

select
    as_of_kind,
    as_of_on,
    sentence
from numbers
where
    n <> 6
    or n_sentences <> 1
    or not contains(sentence, ' support ' || words[n_supported + 1])
    or not contains(sentence, ' speak against ' || words[n_against + 1])
    or not contains(sentence, ' leave open ' || words[n_open + 1])
