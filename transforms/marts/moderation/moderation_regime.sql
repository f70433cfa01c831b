/*---
description: >
  Stretches of one level in the daily number of decisions of moderation. A shift is a change of the 14-day median by a
  factor of 1.9 or more; shift_cause is a declared event within a week, first, or unexplained.
grain: [platform_id, regime_id]
nullable: [level_factor]
rows: {min: 1}
caveats:
  - A decision is not an upload. A shift is a change in what is reported, often by one platform, not in what is filmed.
---*/

with pages as (
    select
        platform_id,
        moderation_basis,
        list_sort(array_agg(distinct citation_id)) as citation_ids
    from intermediate.int_moderation__day
    where citation_id is not null
    group by platform_id, moderation_basis
)

select
    r.platform_id,
    r.regime_id,
    r.moderation_basis,
    r.begins_on,
    r.ends_on,
    r.daily_level,
    r.level_factor,
    r.shift_cause,
    coalesce(pages.citation_ids, []::varchar[]) as citation_ids
from intermediate.int_moderation__regime as r
left join pages using (platform_id, moderation_basis)
order by r.platform_id, r.regime_id
