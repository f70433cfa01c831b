/*---
description: What is not claimed
---*/

select unnest([
    'That video makes models better. Owners of platforms are also large companies; compute, talent and money go with ownership, and for flagships none of them is published.',
    'That what a company could reach was used. The reports on ' || (
        select count(distinct model_id) filter (where quantity = 'none_disclosed') from marts.training_disclosure
    ) || ' models give no volume at all.',
    'That boards, days or quarters are independent evidence. They share models and raters; verdicts are not to be counted.',
    'That shares of access are known. They are expert judgement; moat_robustness sets each owner''s to a tenth and to all.',
    'That the rule was written without knowing anything: a trial of the model had been seen, and decision 0060 states it.'
]) as sentence
