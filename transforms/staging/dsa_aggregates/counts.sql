/*---
description: Decisions of one day by platform, kind of content, kind of decision and how the content was found.
---*/

select
    coalesce(platform_name, '') as platform_name,
    received_date as received_on,
    case
        when content_type_single like '%SYNTHETIC_MEDIA%' then 'synthetic'
        when content_type_single = 'CONTENT_TYPE_VIDEO' then 'video'
        when content_type_single like '%CONTENT_TYPE_VIDEO%' then 'video_and_other'
        when content_type_single = 'CONTENT_TYPE_OTHER' then 'other'
        else 'no_video'
    end as content_kind,
    case
        when decision_visibility_single like '%CONTENT_REMOVED%' then 'removed'
        when decision_visibility_single like '%CONTENT_DISABLED%' then 'disabled'
        when decision_visibility_single is not null then 'restricted'
        when decision_account is not null then 'account'
        else 'none'
    end as decision_kind,
    automated_detection = 1 as is_detected_by_machine,
    cast(sum(total) as bigint) as n_statements,
    count(*) - count(distinct (  -- noqa: ST08, LT01, LT06
        automated_decision,
        automated_detection,
        category,
        content_type_single,
        decision_account,
        decision_ground,
        decision_monetary,
        decision_provision,
        decision_visibility_single,
        received_date,
        source_type,
        platform_name
    )) as n_repeated
from part
group by 1, 2, 3, 4, 5
