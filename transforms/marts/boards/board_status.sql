/*---
description: >
  Every board on every calendar day from its first capture to its last: whether there was a board that day, who led it, and on which scale. Query this table first; a day that is missing, empty or an error is not a board.
grain: [board_id, captured_on]
nullable:
  - reason
  - board_read_on
  - board_published_on
  - n_listed
  - n_ranked
  - scale_id
  - leader_entry_name
  - leader_company_id
  - leader_rating
  - n_leaders
  - n_votes_total
  - content_sha256
caveats:
  - Partial days name the leader and a few ranks; nobody is last, and there is no total of votes.
  - Where several entries share rank 1 (n_leaders), the name is the first of them by listed rank, then by name.
  - Days on which only we have no capture are missing; the board itself existed.
---*/

select
    days.board_id,
    days.captured_on,
    boards.board_family,
    days.status,
    days.reason,
    days.board_read_on,
    days.board_published_on,
    days.n_listed,
    days.n_ranked,
    days.scale_id,
    days.leader_entry_name,
    days.leader_company_id,
    days.leader_rating,
    days.n_leaders,
    days.n_votes_total,
    days.content_sha256,
    days.is_latest_usable,
    case when captures.citation_id is null then [] else [captures.citation_id] end as citation_ids
from intermediate.int_board__status as days
inner join staging.stg_reference__boards as boards on days.board_id = boards.board_id
left join intermediate.int_board__capture as captures on days.capture_id = captures.capture_id
