/*---
description: >
  Complete boards, entry by entry, with the model, laboratory and company each entry counts to. One capture is served per day; two fits are never mixed.
grain: [board_id, captured_on, entry_key]
nullable:
  - creator_name
  - variant
  - has_audio
  - rank
  - listed_rank
  - rating
  - rating_low
  - rating_high
  - n_votes
  - released_on
caveats:
  - The rank is computed over the entries the board itself ranks; before 2026-07-31 the interface of Artificial Analysis ranks retired entries too, and its public route does not.
  - Ratings of different boards, or of different scale_id, are not comparable.
  - A third party's derivative counts to the company that published it; see base_model_id in model_release.
---*/

select
    board_id,
    captured_on,
    entry_key,
    entry_name,
    creator_name,
    model_id,
    lab_id,
    company_id,
    variant,
    has_audio,
    match_status,
    is_ranked,
    rank,
    listed_rank,
    rating,
    rating_low,
    rating_high,
    is_anchor,
    n_votes,
    released_on,
    scale_id,
    citation_ids
from intermediate.int_board__entry
where capture_status = 'ok'
