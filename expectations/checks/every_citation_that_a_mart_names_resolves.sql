/*---
description: Every citation id in a mart is in meta.citations, so that each number leads to a page somebody can open.
severity: critical
---*/
with named as (
    select distinct
        'marts.entity_match.citation_id' as named_by,
        citation_id as id
    from marts.entity_match
    union all
    select distinct
        'marts.platform_observation.citation_id' as named_by,
        citation_id as id
    from marts.platform_observation
    union all
    select distinct
        'marts.training_disclosure.citation_id' as named_by,
        citation_id as id
    from marts.training_disclosure
    union all
    select distinct
        'marts.board_status.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.board_status
    union all
    select distinct
        'marts.company_moat.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.company_moat
    union all
    select distinct
        'marts.company_platform.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.company_platform
    union all
    select distinct
        'marts.company_volume.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.company_volume
    union all
    select distinct
        'marts.input_importance.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.input_importance
    union all
    select distinct
        'marts.leaderboard.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.leaderboard
    union all
    select distinct
        'marts.moat_answer.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.moat_answer
    union all
    select distinct
        'marts.moat_effect.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.moat_effect
    union all
    select distinct
        'marts.forecast.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.forecast
    union all
    select distinct
        'marts.dose_pair.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.dose_pair
    union all
    select distinct
        'marts.company_resources.citation_id' as named_by,
        citation_id as id
    from marts.company_resources
    union all
    select distinct
        'marts.model_score.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.model_score
    union all
    select distinct
        'marts.model_release.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.model_release
    union all
    select distinct
        'marts.platform_volume.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.platform_volume
    union all
    select distinct
        'marts.training_disclosure.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.training_disclosure
    union all
    select distinct
        'marts.moat_entry.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.moat_entry
    union all
    select distinct
        'marts.moderation_cross_check.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.moderation_cross_check
    union all
    select distinct
        'marts.moderation_day.citation_id' as named_by,
        citation_id as id
    from marts.moderation_day
    union all
    select distinct
        'marts.moderation_regime.citation_ids' as named_by,
        unnest(citation_ids) as id
    from marts.moderation_regime
)

select
    named.named_by,
    named.id
from named
anti join meta.citations as known on named.id = known.citation_id
where named.id is not null
order by named.named_by, named.id
