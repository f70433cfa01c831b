/*---
description: What is not claimed
---*/

select unnest([
    'That volume makes models better. Compute, talent, money and country move with it, and for flagships none of them is published.',
    'That what a company could reach was used. ' || (
        select count(*) filter (where quantity = 'none_disclosed') from marts.training_disclosure
    ) || ' reports in the ledger give no volume at all.',
    'That boards or days are independent evidence. Boards share models and raters; no p-values are multiplied, no days pooled.',
    'That shares of access are known. They are judgement, and among owners they are the only thing that could change their order; definitions without them stand beside the headline.',
    'That the rule was written in ignorance of everything: a trial with placeholder volumes had been seen, and decision 0010 says so.'
]) as sentence
