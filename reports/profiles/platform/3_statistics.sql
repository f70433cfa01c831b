/*---
description: Statistics that the estimate uses, newest first
---*/
select
    facts.fact_id,
    facts.metric,
    facts.period_end_on,
    facts.figure_as_stated,
    facts.verification,
    pages.title,
    pages.url
from marts.platform_observation as facts
left join meta.citations as pages on facts.citation_id = pages.citation_id
where facts.platform_id = getvariable('platform_id') and facts.is_used
order by facts.period_end_on desc, facts.fact_id
limit 15
