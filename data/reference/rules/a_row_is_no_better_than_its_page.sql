/*---
description: A row is no better seen than the page it cites, and no nearer to the source.
fix: give the verification, tier and kind of the page, or cite the page that was read.
---*/

with tiers as (
    select
        'platform_observations' as file_name,
        line,
        tier,
        verification,
        citation_id
    from platform_observations
    union all
    select
        'company_resources' as file_name,
        line,
        tier,
        verification,
        citation_id
    from company_resources
    union all
    select
        'training_disclosures' as file_name,
        line,
        tier,
        verification,
        citation_id
    from training_disclosures
)

select
    seen.file_name,
    seen.line,
    'verification is ' || seen.stated || ' and that of ' || citations.citation_id || ' ' || citations.verification
    || '; right would be ' || citations.verification as wrong
from cells as seen
inner join cells as cited on seen.file_name = cited.file_name and seen.line = cited.line
inner join citations on cited.stated = citations.citation_id
where
    seen.file_name <> 'citations'
    and seen.column_name = 'verification'
    and cited.column_name = 'citation_id'
    and seen.stated = 'page_read'
    and citations.verification = 'search_excerpt'
union all
select
    tiers.file_name,
    tiers.line,
    'tier is ' || tiers.tier || ' and that of ' || tiers.citation_id || ' ' || citations.tier || '; right would be '
    || citations.tier || ' or more' as wrong
from tiers
inner join citations on tiers.citation_id = citations.citation_id
where tiers.verification <> 'UNVERIFIED' and tiers.tier < citations.tier
