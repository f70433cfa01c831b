/*---
description: Signs beside it that decide nothing
---*/

with newest as (
    from marts.moat_answer
    where quarter_on = (select max(quarter_on) from marts.moat_answer)
),

stated as (
    select
        company_id,
        disclosed_to_available_ratio_p50 as ratio
    from marts.training_disclosure
    where disclosed_to_available_ratio_p50 is not null
)

select
    'A company without a platform leads ' || n_led_without_platform || ' of ' || n_primary_boards
    || ' primary boards this quarter and led '
    || coalesce(n_led_without_platform_before::varchar, 'none')
    || ' the quarter before.' as sentence
from newest
union all
select
    count(*)
    || ' verified figures in hours, from '
    || count(distinct company_id)
    || ' companies, can be set against what the company could reach: the median is '
    || round(100 * median(ratio), 1) || ' % of it, and for ' || count(*) filter (where ratio > 1)
    || ' it is more than our estimate; available is not used.'
from stated
union all
select
    'The order among owners is the order of their usable hours to this degree: correlation '
    || round(median_owners_spearman, 2)
    || ' (median over primary boards).'
from newest
