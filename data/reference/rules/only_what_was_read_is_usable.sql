/*---
description: A value that nobody read in a page enters no estimate, and one that enters none gives its reason.
fix: set is_usable to false and give unusable_reason, or read the page.
---*/

select
    'platform_observations' as file_name,
    line,
    'is_usable is ' || is_usable || ' with verification ' || verification || ' and unusable_reason '
    || coalesce(unusable_reason, 'empty') || '; right would be '
    || case
        when verification = 'UNVERIFIED' then 'false and unverified'
        when is_usable then 'no reason'
        else 'a reason'
    end as wrong
from platform_observations
where is_usable = (unusable_reason is not null) or is_usable and verification = 'UNVERIFIED'
