/*---
description: >
  The entries behind each answer as the model sees them: rating and standard error, company and model, controls, whether the company owned a platform at release, its hours and its size. Any mixed-model
  program finds the published estimates again from this table; see examples/mixed_model.py.
grain: [as_of_kind, as_of_on, board_id, entry_key]
nullable: [size_measure, size_usd, usable_hours_p50, short_usable_hours_p50]
rows: {min: 100}
caveats:
  - Hours are medians over draws and empty for companies without a platform, or whose platforms have no statistic; the published estimates use the draws (company_moat_draws).
  - Ratings of different boards are never compared as levels; the model gives each board a level of its own.
---*/

select
    panel.as_of_kind,
    panel.as_of_on,
    panel.board_id,
    panel.captured_on,
    panel.entry_key,
    panel.entry_name,
    panel.company_id,
    panel.panel_model,
    panel.rating,
    panel.rating_se,
    panel.released_on,
    panel.volume_month,
    panel.is_open_weights,
    panel.has_sound,
    panel.is_fast_tier,
    panel.is_high_resolution,
    panel.owns_platform,
    panel.is_owner_contested,
    volumes.usable_hours_p50,
    volumes.short_usable_hours_p50,
    panel.size_measure,
    panel.size_usd,
    panel.is_size_later,
    panel.citation_ids
from intermediate.int_moat__panel as panel
left join intermediate.int_company__volume_quantiles as volumes
    on
        panel.company_id = volumes.company_id
        and panel.volume_month = volumes.month
        and volumes.scenario_id = 'baseline'
        and volumes.first_party_stock_hours_p50 is not null
where panel.board_role = 'primary'
order by panel.as_of_kind, panel.as_of_on, panel.board_id, panel.entry_key
