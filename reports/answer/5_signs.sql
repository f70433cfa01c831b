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
        value,
        available_hours_p50,
        disclosed_to_available_ratio_p50 as ratio
    from marts.training_disclosure
    where disclosed_to_available_ratio_p50 is not null
),

largest as (
    select *
    from stated
    qualify row_number() over (partition by company_id order by value desc, ratio asc) = 1
),

places as (
    select
        company_id,
        rank() over (order by value) as disclosed_place,
        rank() over (order by available_hours_p50) as available_place
    from largest
)

select
    'A company without a platform leads ' || n_led_without_platform || ' of ' || n_primary_boards
    || ' primary boards this quarter'
    || coalesce(' and led ' || n_led_without_platform_before || ' the quarter before', '; no quarter before is held')
    || '.' as sentence
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
    'Whether disclosed hours rise with available hours: rank correlation '
    || coalesce(round(corr(disclosed_place, available_place), 2)::varchar, 'none') || ' over ' || count(*)
    || ' companies by the largest figure of each, raw pools and sets trained on alike; '
    || 'companies without a platform differ in available hours by the month of release alone.'
from places
union all
select
    'The order among owners is the order of their usable hours to this degree: correlation '
    || round(median_owners_spearman, 2)
    || ' (median over primary boards).'
from newest
