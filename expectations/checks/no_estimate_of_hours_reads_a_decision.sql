/*---
description: No table about volume or the association reads decisions of moderation or sets of posts.
severity: critical
---*/

with recursive reads as (
    select
        table_name,
        from_table
    from meta.lineage
    where
        layer = 'marts'
        and table_name in ('company_volume', 'platform_volume', 'platform_volume_draws', 'company_moat', 'moat_answer')

    union

    select
        reads.table_name,
        l.from_table
    from reads
    inner join meta.lineage as l on reads.from_table = l.layer || '.' || l.table_name
)

select
    table_name,
    from_table
from reads
where
    from_table like 'staging.stg_dsa_%'
    or from_table like 'staging.stg_video_posts__%'
    or from_table = 'staging.stg_reference__dsa_daily_totals'
