/*---
description: >
  Each company's best entry on each complete board beside the video it owned and could use in the month that model was released, in every scenario of volume.
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
---*/

with firsts as (
    select *
    from intermediate.int_moat__entry
    qualify row_number() over (
        partition by board_id, captured_on, company_id order by rating desc, rating_se asc, entry_key asc
    ) = 1
),

best as (
    select
        *,
        (rank() over (partition by board_id, captured_on order by rating desc))::integer as company_rank
    from firsts
)

select
    best.board_id,
    best.captured_on,
    best.company_id,
    volume.scenario_id,
    companies.name as company_name,
    companies.country,
    evidence.owns_platform,
    evidence.has_platform,
    volume.first_party_short_stock_hours_p50 is not null as has_short_platform,
    evidence.basis,
    best.entry_key as best_entry_key,
    best.entry_name as best_entry_name,
    best.model_id as best_model_id,
    best.rating as best_rating,
    best.rating_low as best_rating_low,
    best.rating_high as best_rating_high,
    best.rating_se as best_rating_se,
    best.rank as best_rank,
    best.company_rank,
    best.n_ranked,
    best.n_entries,
    best.n_unmatched_entries,
    best.released_on as best_released_on,
    best.dated_by,
    best.volume_month,
    best.is_open_weights,
    best.has_audio,
    best.resolution_lines,
    best.scale_id,
    volume.first_party_videos_per_day_p05,
    volume.first_party_videos_per_day_p50,
    volume.first_party_videos_per_day_p95,
    volume.first_party_hours_per_day_p05,
    volume.first_party_hours_per_day_p50,
    volume.first_party_hours_per_day_p95,
    volume.first_party_stock_videos_p05,
    volume.first_party_stock_videos_p50,
    volume.first_party_stock_videos_p95,
    volume.first_party_stock_hours_p05,
    volume.first_party_stock_hours_p50,
    volume.first_party_stock_hours_p95,
    volume.first_party_short_videos_per_day_p05,
    volume.first_party_short_videos_per_day_p50,
    volume.first_party_short_videos_per_day_p95,
    volume.first_party_short_hours_per_day_p05,
    volume.first_party_short_hours_per_day_p50,
    volume.first_party_short_hours_per_day_p95,
    volume.first_party_short_stock_hours_p05,
    volume.first_party_short_stock_hours_p50,
    volume.first_party_short_stock_hours_p95,
    volume.available_first_party_hours_p05,
    volume.available_first_party_hours_p50,
    volume.available_first_party_hours_p95,
    volume.available_hours_p05,
    volume.available_hours_p50,
    volume.available_hours_p95,
    volume.usable_hours_p05,
    volume.usable_hours_p50,
    volume.usable_hours_p95,
    volume.short_usable_hours_p05,
    volume.short_usable_hours_p50,
    volume.short_usable_hours_p95,
    list_sort(list_distinct(list_concat(best.citation_ids, evidence.citation_ids))) as citation_ids,
    evidence.assumption_ids
from best
inner join intermediate.int_company__volume_quantiles as volume
    on best.company_id = volume.company_id and best.volume_month = volume.month
inner join intermediate.int_company__evidence as evidence
    on
        volume.company_id = evidence.company_id
        and volume.month = evidence.month
        and volume.scenario_id = evidence.scenario_id
inner join staging.stg_reference__companies as companies on best.company_id = companies.company_id
