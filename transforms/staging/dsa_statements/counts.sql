/*---
description: Decisions by platform, day, kind of content and of decision, how the content was found, and how old it was.
---*/

select
    platform_name,
    cast(created_at as date) as received_on,
    case
        when content_type like '%CONTENT_TYPE_SYNTHETIC_MEDIA%' then 'synthetic'
        when content_type = '["CONTENT_TYPE_VIDEO"]' then 'video'
        when content_type like '%CONTENT_TYPE_VIDEO%' then 'video_and_other'
        when content_type = '["CONTENT_TYPE_OTHER"]' then 'other'
        else 'no_video'
    end as content_kind,
    case
        when decision_visibility like '%CONTENT_REMOVED%' then 'removed'
        when decision_visibility like '%CONTENT_DISABLED%' then 'disabled'
        when decision_visibility is not null then 'restricted'
        when decision_account is not null then 'account'
        else 'none'
    end as decision_kind,
    automated_detection = 'Yes' as is_detected_by_machine,
    case
        when content_date is null then 'unknown'
        when cast(content_date as date) < date '2005-01-01' then 'impossible'
        when cast(content_date as date) > cast(created_at as date) then 'impossible'
        when cast(content_date as date) >= cast(created_at as date) - interval '1' day then '0-1'
        when cast(content_date as date) >= cast(created_at as date) - interval '7' day then '2-7'
        when cast(content_date as date) >= cast(created_at as date) - interval '30' day then '8-30'
        else 'over 30'
    end as content_age_bucket,
    count(*) as n_statements,
    cast(sum(case
        when cast(application_date as date) < cast(created_at as date) - interval '30' day then 1
        else 0
    end) as bigint) as n_late
from part
group by 1, 2, 3, 4, 5, 6
