/*---
description: A number as text with two significant digits, or whole where it is larger, never with an exponent. `select marts.two_digits(4.66)`.
---*/

create or replace macro marts.two_digits(number) as
case
    when number is null then ''
    when abs(number) < 1e-9 then '0'
    when abs(number) >= 9.95 then round(number)::bigint::varchar
    else format(
        '{:.' || (1 - floor(log10(abs(round(number, (1 - floor(log10(abs(number))))::integer)))))::integer || 'f}', number
    )
end
