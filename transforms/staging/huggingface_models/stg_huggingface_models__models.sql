/*---
description: Repositories on the Hugging Face Hub that make video, one row per repository and day of capture.
grain: [repository_id, captured_on]
nullable: [author_name, library_name, n_likes, n_downloads, created_on]
---*/

select
    id as repository_id,
    _captured_on as captured_on,
    _snapshot_id as snapshot_id,
    author as author_name,
    pipeline_tag,
    library_name,
    likes as n_likes,
    downloads as n_downloads,
    created_at::date as created_on
from raw.huggingface_models__models
where pipeline_tag in ('text-to-video', 'image-to-video', 'video-to-video')
qualify row_number() over (partition by id, _captured_on order by _request desc) = 1
