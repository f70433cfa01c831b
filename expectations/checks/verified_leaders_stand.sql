/*---
description: The leaders that were verified by hand against the stored responses lead on those days, whatever later sources show.
severity: critical
---*/

with verified (board_id, captured_on, leader_entry_name) as (
    values
    ('aa_text_to_video', date '2026-02-12', 'grok-imagine-video'),
    ('aa_text_to_video', date '2026-02-14', 'Kling 3.0 Pro'),
    ('aa_text_to_video', date '2026-03-23', 'Kling 3.0 1080p (Pro)'),
    ('aa_text_to_video', date '2026-03-24', 'Dreamina Seedance 2.0 720p'),
    ('aa_text_to_video', date '2026-04-07', 'Dreamina Seedance 2.0 720p'),
    ('aa_text_to_video', date '2026-04-08', 'HappyHorse-1.0'),
    ('aa_text_to_video', date '2026-07-13', 'HappyHorse-1.0'),
    ('aa_text_to_video', date '2026-07-14', 'Gemini Omni Flash'),
    ('aa_image_to_video', date '2026-06-04', 'HappyHorse-1.0'),
    ('aa_image_to_video', date '2026-06-05', 'Dreamina Seedance 2.0 720p'),
    ('arena_text_to_video', date '2026-05-14', 'dreamina-seedance-2.0-720p'),
    ('arena_text_to_video', date '2026-07-08', 'gemini-omni-flash')
)

select
    verified.board_id,
    verified.captured_on,
    verified.leader_entry_name as verified_leader,
    days.leader_entry_name,
    days.status
from verified
inner join marts.board_status as days
    on verified.board_id = days.board_id and verified.captured_on = days.captured_on
where days.leader_entry_name is distinct from verified.leader_entry_name
