/*---
description: >
  What is left of each association once release date, then open weights, then sound and resolution are held fixed (Freedman and Lane), with the honest number of companies and of
  degrees of freedom the controls take. Newer models are better and video only accumulates, so release date alone makes an association.
grain: [board_id, captured_on, definition_id]
nullable:
  - value
  - date_with_rating
  - date_with_volume
  - partial_date
  - p_partial_date
  - partial_date_open
  - p_partial_date_open
  - partial_all_controls
  - p_partial_all_controls
caveats:
  - Every partial statistic is a partial rank correlation, also for definitions whose own statistic is another.
  - Resolution is known for few models; the last panel is over those companies alone, and n_all_controls says how many.
  - Holding date and openness fixed does not make the rest cause. Compute, talent and country move with volume too, and are not public.
---*/

select
    c.board_id,
    c.captured_on,
    c.definition_id,
    a.is_headline,
    c.n_companies,
    a.value,
    c.date_with_rating,
    c.date_with_volume,
    c.partial_date,
    c.p_partial_date,
    c.design_rank_date,
    c.partial_date_open,
    c.p_partial_date_open,
    c.design_rank_date_open,
    c.partial_all_controls,
    c.p_partial_all_controls,
    c.n_all_controls,
    c.design_rank_all_controls,
    e.citation_ids,
    e.assumption_ids
from intermediate.int_moat__confounder as c
inner join intermediate.int_moat__association as a
    on c.board_id = a.board_id and c.captured_on = a.captured_on and c.definition_id = a.definition_id
inner join intermediate.int_moat__evidence as e on c.board_id = e.board_id and c.captured_on = e.captured_on
order by c.board_id, c.captured_on, c.definition_id
