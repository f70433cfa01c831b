/*---
description: A period is over when the page that speaks of it appears.
fix: correct the days, or the citation's published_on.
---*/

select
    'platform_observations' as file_name,
    observations.line,
    'period_end_on ' || observations.period_end_on || ' is after ' || observations.citation_id
    || ' appeared; right would be ' || coalesce(citations.published_on, citations.read_on::varchar)
    || ' or earlier' as wrong
from platform_observations as observations
inner join citations on observations.citation_id = citations.citation_id
where
    observations.period_end_on > coalesce(
        case length(citations.published_on)
            when 4 then make_date(citations.published_on::integer, 12, 31)
            when 7 then last_day(try_cast(citations.published_on || '-01' as date))
            else try_cast(citations.published_on as date)
        end,
        citations.read_on
    )
