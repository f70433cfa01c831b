/*---
description: >
  One score for each matched model over the newest complete captures of the four primary boards, in rating points around 0: how far it is above the other models of the boards it is on.
  Secondary to the boards; no verdict rests on it.
grain: [model_id]
rows: {min: 20}
caveats:
  - A model on one board only is drawn towards 0 by what boards disagree about; cross_board_score_sd shows how sure the rank is.
  - Two scores are not independent; a difference of twice the larger sd is a rough guide.
---*/

select
    scores.model_id,
    models.model_name,
    scores.company_id,
    scores.n_boards,
    scores.boards_read,
    scores.cross_board_score,
    scores.cross_board_score_sd,
    scores.between_board_sd,
    scores.is_between_board_sd_assumed,
    scores.citation_ids,
    scores.assumption_ids
from intermediate.int_moat__model_score as scores
inner join staging.stg_reference__models as models on scores.model_id = models.model_id
order by scores.cross_board_score desc
