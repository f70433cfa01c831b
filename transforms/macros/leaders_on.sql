/*---
description: Who led each board on a day, from its newest complete or partial capture of the 14 days before. `from marts.leaders_on(date '2026-05-14')`.
---*/

create or replace macro marts.leaders_on(on_date) as table
select
    days.board_id,
    days.captured_on,
    days.status,
    days.leader_entry_name,
    days.leader_company_id,
    days.leader_rating,
    days.n_leaders,
    days.scale_id
from marts.board_status as days
where
    days.captured_on = (
        select max(others.captured_on)
        from marts.board_status as others
        where
            others.board_id = days.board_id
            and others.leader_entry_name is not null
            and others.captured_on <= on_date
            and others.captured_on >= on_date - 14
    )
order by days.board_id
