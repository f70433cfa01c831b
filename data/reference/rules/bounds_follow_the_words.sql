/*---
description: The phrase of a value holds a number, and its words fit the bound (rule 4 of the README).
fix: write the number as printed; "more than" is at_least, "less than" is at_most, "nearly" is about or at_most.
---*/

with stated as (
    select
        'platform_observations' as file_name,
        line,
        bound,
        lower(figure_as_stated) as phrase
    from platform_observations
    union all
    select
        'company_resources' as file_name,
        line,
        bound,
        lower(figure_as_stated) as phrase
    from company_resources
    union all
    select
        'training_disclosures' as file_name,
        line,
        bound,
        lower(figure_as_stated) as phrase
    from training_disclosures
    where value is not null and not is_derived
),

worded as (
    select
        *,
        regexp_matches(
            phrase,
            '\b(more than|over|at least|no less than|no fewer than|above|exceed\w*|surpass\w*)\s+\D{0,12}\d'
            || '|\d\s?\+$'
        ) as is_floor,
        regexp_matches(phrase, '\b(less than|fewer than|at most|no more than|under|below)\s+\D{0,12}\d')
        and not regexp_matches(phrase, 'no (less|fewer) than') as is_ceiling,
        regexp_matches(phrase, '\b(nearly|almost|about|around|roughly|approximately|some)\s+\D{0,12}\d') as is_about,
        regexp_matches(
            phrase,
            '[0-9一二三四五六七八九十百千万亿億數]|hundred|thousand|million|billion|half|third|quarter|doubl|tripl|subset'
            || '|\b(one|two|three|four|five|ten)\b'
        ) as has_number
    from stated
)

select
    file_name,
    line,
    'the phrase ''' || phrase || ''' ' || case
        when not has_number then 'holds no number; right would be the number as printed'
        else 'is stated as ' || bound || '; right would be ' || case
            when is_floor and not regexp_matches(phrase, 'no more than') then 'at_least'
            when is_ceiling then 'at_most'
            else 'about'
        end
    end as wrong
from worded
where
    not has_number
    or is_floor and not regexp_matches(phrase, 'no more than') and bound in ('exact', 'at_most')
    or is_ceiling and bound in ('exact', 'at_least')
    or is_about and not is_floor and bound = 'exact'
