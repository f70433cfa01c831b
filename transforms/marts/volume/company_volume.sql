/*---
description: >
  What each company's own platforms get and hold, and what it could train on, by month and scenario: its platforms as far as
  its labs reach it, licensed video where on record, and the public web, less near-duplicates; usable is what the quality filters retain.
grain: [company_id, month, scenario_id]
nullable: [first_party_videos_per_day_p05, first_party_videos_per_day_p50, first_party_videos_per_day_p95, first_party_hours_per_day_p05, first_party_hours_per_day_p50, first_party_hours_per_day_p95, first_party_stock_videos_p05, first_party_stock_videos_p50, first_party_stock_videos_p95, first_party_stock_hours_p05, first_party_stock_hours_p50, first_party_stock_hours_p95, first_party_short_videos_per_day_p05, first_party_short_videos_per_day_p50, first_party_short_videos_per_day_p95, first_party_short_hours_per_day_p05, first_party_short_hours_per_day_p50, first_party_short_hours_per_day_p95, first_party_short_stock_hours_p05, first_party_short_stock_hours_p50, first_party_short_stock_hours_p95, available_first_party_hours_p05, available_first_party_hours_p50, available_first_party_hours_p95, usable_first_party_hours_p05, usable_first_party_hours_p50, usable_first_party_hours_p95, first_party_hours_per_day_mc_error, first_party_stock_hours_mc_error, disclosed_pool_hours]
rows: {min: 1000}
caveats:
  - Available is not used. No company states how much of its own platform it trains on.
  - First-party columns are null, never 0, for a company without a platform.
  - What a company states to have gathered (disclosed_pool_hours) is the least it could reach from that month on.
  - basis is the weakest among the company's platforms; without a platform it is prior_only.
  - The state of ownership on the month's last day counts; from 2026-01 ByteDance holds TikTok without the United States.
---*/

with pools as (
    select
        company_id,
        valid_from,
        disclosed_pool_hours,
        lead(valid_from) over (partition by company_id order by valid_from) as valid_until
    from intermediate.int_company__disclosed_pool
)

select
    q.company_id,
    q.month,
    q.scenario_id,
    c.name as company_name,
    e.owns_platform,
    e.has_platform,
    e.n_platforms,
    e.access_kinds,
    e.basis,
    q.first_party_videos_per_day_p05,
    q.first_party_videos_per_day_p50,
    q.first_party_videos_per_day_p95,
    q.first_party_hours_per_day_p05,
    q.first_party_hours_per_day_p50,
    q.first_party_hours_per_day_p95,
    q.first_party_hours_per_day_mc_error,
    q.first_party_stock_videos_p05,
    q.first_party_stock_videos_p50,
    q.first_party_stock_videos_p95,
    q.first_party_stock_hours_p05,
    q.first_party_stock_hours_p50,
    q.first_party_stock_hours_p95,
    q.first_party_stock_hours_mc_error,
    q.first_party_short_videos_per_day_p05,
    q.first_party_short_videos_per_day_p50,
    q.first_party_short_videos_per_day_p95,
    q.first_party_short_hours_per_day_p05,
    q.first_party_short_hours_per_day_p50,
    q.first_party_short_hours_per_day_p95,
    q.first_party_short_stock_hours_p05,
    q.first_party_short_stock_hours_p50,
    q.first_party_short_stock_hours_p95,
    q.available_first_party_hours_p05,
    q.available_first_party_hours_p50,
    q.available_first_party_hours_p95,
    q.usable_first_party_hours_p05,
    q.usable_first_party_hours_p50,
    q.usable_first_party_hours_p95,
    q.available_licensed_hours_p05,
    q.available_licensed_hours_p50,
    q.available_licensed_hours_p95,
    q.available_public_hours_p05,
    q.available_public_hours_p50,
    q.available_public_hours_p95,
    q.available_hours_p05,
    q.available_hours_p50,
    q.available_hours_p95,
    q.available_hours_mc_error,
    q.usable_hours_p05,
    q.usable_hours_p50,
    q.usable_hours_p95,
    q.usable_hours_mc_error,
    q.short_available_hours_p05,
    q.short_available_hours_p50,
    q.short_available_hours_p95,
    q.short_usable_hours_p05,
    q.short_usable_hours_p50,
    q.short_usable_hours_p95,
    p.disclosed_pool_hours,
    e.citation_ids,
    e.assumption_ids
from intermediate.int_company__volume_quantiles as q
inner join intermediate.int_company__evidence as e
    on q.company_id = e.company_id and q.month = e.month and q.scenario_id = e.scenario_id
inner join staging.stg_reference__companies as c on q.company_id = c.company_id
left join pools as p
    on q.company_id = p.company_id and q.month >= p.valid_from and (p.valid_until is null or q.month < p.valid_until)
order by q.company_id, q.month, q.scenario_id
