/*---
description: The answer
---*/

with newest as (
    from marts.moat_answer
    where quarter_on = (select max(quarter_on) from marts.moat_answer)
),

primaries as (
    from marts.moat_test
    where list_contains((select boards_read from newest), board_id || ' ' || captured_on)
)

select
    verdict_text || ' That is the verdict for the quarter from ' || quarter_on
    || ', by a rule and a headline fixed before any number was looked at.' as sentence
from newest
union all
select
    'In odds: on the '
    || count(*)
    || ' primary boards, shuffling the companies at random does as well as their real volumes between once in '
    || round(1 / max(p_permutation))::integer || ' and once in ' || round(1 / min(p_permutation))::integer
    || ' times; if the true correlation were 0.5, boards of this size would show it in about '
    || round(10 * median(power_at_half))::integer || ' of 10 cases.' as sentence
from primaries
