/*---
description: Do companies with video platforms make better video models?
---*/

with sentences as (
    select
        0 as place,
        min(sentence) as sentence
    from marts.moat_answer
    where as_of_kind = 'newest'
    union all
    select
        question_number as place,
        question || ' ' || verdict_text as sentence
    from marts.moat_answer
    where as_of_kind = 'newest' and question_id in ('owning', 'size', 'amount')
    union all
    select
        10 as place,
        'On the day of the story: ' || min(sentence) as sentence
    from marts.moat_answer
    where as_of_kind = 'story'
    having count(*) > 0
)

select sentence
from sentences
order by place
