/*---
description: A company's size is within a factor of five of that in the years around, of ten where it is small, and fits its people.
fix: correct the power of ten, the currency or the company.
---*/

with sizes as (
    select
        *,
        coalesce(value_usd, value) as size,
        coalesce(fiscal_year, left(as_of_on, 4)::integer) as in_year
    from company_resources
    where scope is null or scope in ('group', 'part')
),

compared as (
    select
        sizes.line,
        sizes.company_id,
        sizes.quantity,
        sizes.in_year,
        sizes.size,
        median(others.size) as usual
    from sizes
    inner join sizes as others
        on
            sizes.company_id = others.company_id
            and sizes.quantity = others.quantity
            and sizes.scope is not distinct from others.scope
            and sizes.line <> others.line
            and abs(sizes.in_year - others.in_year) <= 1
    where sizes.quantity in ('rd_expense', 'technology_expense', 'revenue', 'headcount')
    group by all
),

-- Nobody earns a hundred million US dollars, or spends ten on research, with each of its people.
staffed as (
    select
        staff.line,
        staff.company_id,
        staff.value as people,
        max(money.value_usd / case money.quantity when 'revenue' then 1e8 else 1e7 end) as least_people
    from sizes as staff
    inner join sizes as money on staff.company_id = money.company_id and abs(staff.in_year - money.in_year) <= 1
    where
        staff.quantity = 'headcount'
        and money.quantity in ('revenue', 'rd_expense')
        and money.is_usable
    group by all
)

select
    'company_resources' as file_name,
    line,
    quantity || ' of ' || company_id || ' in ' || in_year || ' is ' || size::hugeint || ', and ' || usual::hugeint
    || ' in the years around; right would be near that' as wrong
from compared
where greatest(size / usual, usual / size) > case when usual > 1e9 or quantity = 'headcount' then 5 else 10 end
union all
select
    'company_resources' as file_name,
    line,
    'headcount ' || people || ' of ' || company_id || ' does not fit its revenue or research; right would be at least '
    || ceil(least_people)::bigint as wrong
from staffed
where people < least_people
