/*---
description: A value is written in full, in its unit, as the page states it.
fix: write all digits, without a word for thousands or millions.
---*/

with stated as (
    select
        line,
        value,
        unit,
        figure_as_stated,
        replace(
            regexp_extract(figure_as_stated, '([0-9][0-9.,]*)\s*(?:billion|bn|B|million|mn|M|thousand|k|K|亿|万)', 1),
            ',',
            ''
        ) as digits,
        case
            when regexp_matches(figure_as_stated, '[0-9]\s*(billion|bn|B\b)') then 1e9
            when regexp_matches(figure_as_stated, '[0-9]\s*亿') then 1e8
            when regexp_matches(figure_as_stated, '[0-9]\s*(million|mn|M\b)') then 1e6
            when regexp_matches(figure_as_stated, '[0-9]\s*万') then 1e4
            when regexp_matches(figure_as_stated, '[0-9]\s*(thousand|k\b|K\b)') then 1e3
        end as scale
    from platform_observations
)

select
    'platform_observations' as file_name,
    line,
    'value ' || value || ' ' || unit || ' is stated as ''' || figure_as_stated || '''; right would be '
    || round(try_cast(digits as double) * scale)::decimal(18, 0) as wrong
from stated
where scale is not null and abs(value - try_cast(digits as double)) <= 0.01 * value
union all
select
    'platform_observations' as file_name,
    line,
    'value ' || value || ' ' || unit || ' is no whole number; right would be all its digits, as 3070000000' as wrong
from stated
where unit in ('users', 'accounts', 'videos', 'channels', 'creators', 'downloads', 'images') and value <> round(value)
