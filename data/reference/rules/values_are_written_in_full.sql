/*---
description: A value is written in full, in its unit, as the page states it.
fix: write all digits, without a word for thousands or millions; a value that is computed is marked as derived.
---*/

with stated as (
    select
        'platform_observations' as file_name,
        line,
        value,
        unit,
        figure_as_stated
    from platform_observations
    where unusable_reason is distinct from 'computed_from_other_rows'
    union all
    select
        'company_resources' as file_name,
        line,
        value,
        coalesce(currency, 'people') as unit,
        figure_as_stated
    from company_resources
    where basis <> 'derived'
    union all
    select
        'training_disclosures' as file_name,
        line,
        value,
        quantity as unit,
        figure_as_stated
    from training_disclosures
    where not is_derived and value is not null
),

-- one row a number of the phrase: 3.07 billion, 6,7 miliardi, 3 155, 2.5e+23, O(100)M, 1.2亿, 75 per cent
tokens as (
    select
        *,
        unnest(
            regexp_extract_all(
                regexp_replace(figure_as_stated, '10\^([0-9]+)', '1e\1', 'g'),
                '(?:\b[0-9]{1,3}(?: [0-9]{3})+\b|[0-9][0-9.,]*(?:[eE][+]?[0-9]+)?)\)?\s*\(?'
                || '(?:[Tt]rillion|[Bb]illion|[Mm]il[li]+ard|bilh|bn\b|B\b|млрд|[Mm]illion|mn\b|M\b|'
                || 'млн|миллион|lakh|[Tt]housand|[kK]\b|тыс|亿|億|千万|百万|万|萬|%|per ?cent)?'
            )
        ) as token
    from stated
),

digits as (
    select
        *,
        rtrim(regexp_extract(token, '^[0-9]{1,3}(?: [0-9]{3})+\b|^[0-9][0-9.,]*(?:[eE][+]?[0-9]+)?'), '.,') as written,
        case
            when regexp_matches(token, '[Tt]rillion$') then 1e12
            when regexp_matches(token, '([Bb]illion|[Mm]il[li]+ard|bilh|bn|B|млрд)$') then 1e9
            when regexp_matches(token, '[亿億]$') then 1e8
            when regexp_matches(token, '千万$') then 1e7
            when regexp_matches(token, '(百万|[Mm]illion|mn|M|млн|миллион)$') then 1e6
            when regexp_matches(token, 'lakh$') then 1e5
            when regexp_matches(token, '[万萬]$') then 1e4
            when regexp_matches(token, '([Tt]housand|[kK]|тыс)$') then 1e3
            when regexp_matches(token, '(%|per ?cent)$') then 0.01
        end as scale
    from tokens
),

numbers as (
    select
        *,
        try_cast(
            case
                when regexp_matches(written, '^[0-9]{1,3}([, ][0-9]{3})+(\.[0-9]+)?$')
                    then regexp_replace(written, '[, ]', '', 'g')
                else replace(written, ',', '.')
            end as double
        ) as number,
        case
            when regexp_matches(written, '^[0-9]{1,3}([, ][0-9]{3})+$') then 0
            else length(regexp_extract(written, '[.,]([0-9]+)', 1))
        end as n_decimals,
        -- the other words of the phrase that change its unit
        case
            when unit like '%ratio' and scale = 0.01 then 1
            else 0
        end as added,
        case
            when unit = 'seconds' and regexp_matches(figure_as_stated, 'minutes') then 60
            when unit = 'seconds' and regexp_matches(figure_as_stated, '\bms\b|e\+') then 0.001
            when unit like 'hours%' and regexp_matches(figure_as_stated, '\byears\b') then 8766
            when regexp_matches(unit, '^[A-Z]{3}$') and scale is null and number < 1e6 then 1e6
            else 1
        end as factor
    from digits
),

phrases as (
    select
        file_name,
        line,
        value,
        unit,
        figure_as_stated,
        list(added + number * coalesce(scale, 1) * factor) as amounts,
        sum(number) * coalesce(max(scale), max(factor)) as total,
        min(number) * max(coalesce(scale, 1)) as lowest,
        max(number) * max(coalesce(scale, 1)) as highest,
        bool_or(
            abs(value - added - number * coalesce(scale, 1) * factor)
            <= case
                when n_decimals > 0 then 0.002 * value + 0.5 * 0.1 ** n_decimals * coalesce(scale, 1) * factor
                else 1e-9 * value
            end
        ) as is_one
    from numbers
    group by all
)

select
    file_name,
    line,
    'value ' || value || ' ' || unit || ' is stated as ''' || figure_as_stated || '''; right would be '
    || array_to_string(
        [case when x = round(x) then x::hugeint::varchar else format('{:.12g}', x) end for x in amounts], ' or '
    )
        as wrong
from phrases
where
    not is_one
    and not (contains(figure_as_stated, '+') and abs(value - total) <= 0.002 * value)
    and not (
        regexp_matches(figure_as_stated, '\d ?-\d|\bto\b|\band\b')
        and value between lowest and highest
        and highest < 3 * lowest
    )
    and not (contains(figure_as_stated, 'O(') and abs(log10(value / amounts[1])) <= 0.5)
union all
select
    'platform_observations' as file_name,
    line,
    'value ' || value || ' ' || unit || ' is no whole number; right would be all its digits, as 3070000000' as wrong
from platform_observations
where unit in ('users', 'accounts', 'videos', 'channels', 'creators', 'downloads', 'images') and value <> round(value)
