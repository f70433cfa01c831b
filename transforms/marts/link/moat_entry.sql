/*---
description: >
  The entries behind each answer as the model sees them: rating and standard error, company and model, controls, whether the company owned a platform at release, its hours and its size. Any mixed-model
  program finds the published estimates again from this table; see examples/mixed_model.py.
grain: [as_of_kind, as_of_on, board_id, entry_key]
nullable: [size_measure, size_usd, usable_hours_p50, short_share_p50]
rows: {min: 100}
caveats:
  - Hours and shares are medians over draws and empty for companies without a platform; the published estimates use the draws (company_moat_draws).
  - Ratings of different boards are never compared as levels; the model gives each board a level of its own.
---*/

select
    as_of_kind,
    as_of_on,
    board_id,
    captured_on,
    entry_key,
    entry_name,
    company_id,
    panel_model,
    rating,
    rating_se,
    released_on,
    volume_month,
    is_open_weights,
    has_sound,
    is_fast_tier,
    is_high_resolution,
    owns_platform,
    usable_hours_p50,
    short_share_p50,
    size_measure,
    size_usd,
    is_size_later,
    citation_ids
from intermediate.int_moat__panel
where board_role = 'primary'
order by as_of_kind, as_of_on, board_id, entry_key
