/*---
description: A statistic is of a time in which its platform was open.
fix: correct the period or the platform, or the day of launch or closing if its page gives another.
---*/

select
    'platform_observations' as file_name,
    observations.line,
    observations.platform_id || ' from ' || observations.period_start_on || ' to ' || observations.period_end_on
    || ' is outside its life, from ' || coalesce(platforms.launched_on, 'a day not known') || ' to '
    || coalesce(platforms.closed_on, 'now') || '; right would be a period in it' as wrong
from platform_observations as observations
inner join platforms on observations.platform_id = platforms.platform_id
where
    -- a day may be stated as a year or a month: compare what is stated
    left(observations.period_end_on::varchar, length(platforms.launched_on)) < platforms.launched_on
    or left(observations.period_start_on::varchar, length(platforms.closed_on)) > platforms.closed_on
