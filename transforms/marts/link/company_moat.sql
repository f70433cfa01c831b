/*---
description: >
  How companies rank on each complete board, and what video each could use when its best model came out. One row a company, board and day; scenario `baseline` unless asked.
grain: [board_id, captured_on, company_id, scenario_id]
nullable:
  - country
  - best_model_id
  - best_rating_low
  - best_rating_high
  - is_open_weights
  - has_audio
  - resolution_lines
  - first_party_videos_per_day_p05
  - first_party_videos_per_day_p50
  - first_party_videos_per_day_p95
  - first_party_hours_per_day_p05
  - first_party_hours_per_day_p50
  - first_party_hours_per_day_p95
  - first_party_stock_videos_p05
  - first_party_stock_videos_p50
  - first_party_stock_videos_p95
  - first_party_stock_hours_p05
  - first_party_stock_hours_p50
  - first_party_stock_hours_p95
  - first_party_short_videos_per_day_p05
  - first_party_short_videos_per_day_p50
  - first_party_short_videos_per_day_p95
  - first_party_short_hours_per_day_p05
  - first_party_short_hours_per_day_p50
  - first_party_short_hours_per_day_p95
  - first_party_short_stock_hours_p05
  - first_party_short_stock_hours_p50
  - first_party_short_stock_hours_p95
  - available_first_party_hours_p05
  - available_first_party_hours_p50
  - available_first_party_hours_p95
rows: {min: 100}
caveats:
  - Available is not used. No flagship's report gives how much video it was trained on.
  - first_party columns are null, never 0, for a company without a platform; its hours available and after filtering are the public web and licences.
  - Ranks are of companies by their best ranked entry; entries whose maker is unknown are left out and counted in n_unmatched_entries.
  - Volume is that of the month of release, not of the board's day.
---*/

select
    board_id,
    captured_on,
    company_id,
    scenario_id,
    company_name,
    country,
    owns_platform,
    has_platform,
    has_short_platform,
    basis,
    best_entry_key,
    best_entry_name,
    best_model_id,
    best_rating,
    best_rating_low,
    best_rating_high,
    best_rating_se,
    best_rank,
    company_rank,
    n_ranked,
    n_entries,
    n_unmatched_entries,
    best_released_on,
    dated_by,
    volume_month,
    is_open_weights,
    has_audio,
    resolution_lines,
    scale_id,
    first_party_videos_per_day_p05,
    first_party_videos_per_day_p50,
    first_party_videos_per_day_p95,
    first_party_hours_per_day_p05,
    first_party_hours_per_day_p50,
    first_party_hours_per_day_p95,
    first_party_stock_videos_p05,
    first_party_stock_videos_p50,
    first_party_stock_videos_p95,
    first_party_stock_hours_p05,
    first_party_stock_hours_p50,
    first_party_stock_hours_p95,
    first_party_short_videos_per_day_p05,
    first_party_short_videos_per_day_p50,
    first_party_short_videos_per_day_p95,
    first_party_short_hours_per_day_p05,
    first_party_short_hours_per_day_p50,
    first_party_short_hours_per_day_p95,
    first_party_short_stock_hours_p05,
    first_party_short_stock_hours_p50,
    first_party_short_stock_hours_p95,
    available_first_party_hours_p05,
    available_first_party_hours_p50,
    available_first_party_hours_p95,
    available_hours_p05,
    available_hours_p50,
    available_hours_p95,
    usable_hours_p05,
    usable_hours_p50,
    usable_hours_p95,
    short_usable_hours_p05,
    short_usable_hours_p50,
    short_usable_hours_p95,
    citation_ids,
    assumption_ids
from intermediate.int_moat__company
order by board_id, captured_on, scenario_id, company_rank, company_id
