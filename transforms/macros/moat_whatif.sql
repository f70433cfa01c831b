/*---
description: >
  company_volume recomputed from draws with some assumptions held at a number: usable_share (hours kept by the filters),
  duplicate_share, access_share (of a company's own platforms), us_share (of TikTok), public_hours, licensed_hours. What is
  left out stays as uncertain as it is. The month is the last one unless on_month is given.
  `from marts.moat_whatif(usable_share := 0.1) where company_id = 'bytedance'`.
---*/

create or replace macro marts.moat_whatif(
    usable_share := null,
    duplicate_share := null,
    access_share := null,
    us_share := null,
    public_hours := null,
    licensed_hours := null,
    on_month := null
) as table
with chosen as (
    select max(p.month) as month
    from marts.company_platform as p
    where on_month is null or p.month = date_trunc('month', cast(on_month as date))
),

common as (
    select
        d.draw,
        1 - coalesce(cast(duplicate_share as double), d.assumption_value) as new_share,
        coalesce(cast(usable_share as double), y.assumption_value) as kept_share,
        coalesce(cast(us_share as double), u.assumption_value) as american_share
    from marts.assumption_draws as d
    inner join marts.assumption_draws as y
        on d.draw = y.draw and y.assumption_name = 'yield_hours_raw_to_pretrain' and y.scope = 'all'
    inner join marts.assumption_draws as u
        on d.draw = u.draw and u.assumption_name = 'tiktok_us_share' and u.scope = 'all'
    where d.assumption_name = 'dup_share_hours' and d.scope = 'all'
),

owned as (
    select
        p.company_id,
        v.draw,
        case p.owned_part
            when 'without_us' then 1 - c.american_share when 'us_only' then c.american_share else 1.0
        end as owned_share,
        v.upload_hours_per_day,
        v.stock_hours,
        coalesce(cast(access_share as double), a.assumption_value) as reached_share,
        least(c.kept_share * exp(r.assumption_value), 1.0) as kept_share
    from marts.company_platform as p
    inner join chosen as m on p.month = m.month
    inner join marts.platform_volume_draws as v on p.platform_id = v.platform_id and p.month = v.month
    inner join common as c on v.draw = c.draw
    inner join marts.assumption_draws as a
        on a.assumption_name like 'access\_%' escape '\' and p.scope = a.scope and v.draw = a.draw
    inner join marts.assumption_draws as r
        on r.assumption_name = 'yield_platform_ratio_log' and p.platform_id = r.scope and v.draw = r.draw
    where p.is_in_totals
),

own as (
    select
        company_id,
        draw,
        sum(owned_share * upload_hours_per_day) as hours_per_day,
        sum(owned_share * stock_hours) as stock_hours,
        sum(owned_share * stock_hours * reached_share) as reached_hours,
        sum(owned_share * stock_hours * reached_share * kept_share) as filtered_hours
    from owned
    group by company_id, draw
),

pools as (
    select
        v.company_id,
        v.disclosed_pool_hours
    from marts.company_volume as v
    inner join chosen as m on v.month = m.month
    where v.scenario_id = 'baseline'
),

elsewhere as (
    select
        v.company_id,
        s.draw,
        coalesce(cast(public_hours as double), s.assumption_value)
        + case when l.scope is null then 0.0 else coalesce(cast(licensed_hours as double), l.assumption_value) end as hours_elsewhere
    from (select distinct company_id from marts.company_volume) as v
    cross join marts.assumption_draws as s
    left join marts.assumption_draws as l
        on l.assumption_name = 'licensed_hours' and v.company_id = l.scope and s.draw = l.draw
    where s.assumption_name = 'scrape_hours'
),

-- What a company states to have gathered is the least it can reach.
reached as (
    select
        e.company_id,
        e.draw,
        coalesce(o.reached_hours, 0.0) as reached_hours,
        coalesce(o.filtered_hours, 0.0) as filtered_hours,
        o.hours_per_day,
        o.stock_hours,
        greatest(e.hours_elsewhere, coalesce(p.disclosed_pool_hours, 0.0) - coalesce(o.reached_hours, 0.0))
            as hours_elsewhere
    from elsewhere as e
    left join own as o on e.company_id = o.company_id and e.draw = o.draw
    left join pools as p on e.company_id = p.company_id
),

summed as (
    select
        e.company_id,
        m.month,
        e.hours_per_day,
        e.stock_hours,
        (e.reached_hours + e.hours_elsewhere) * c.new_share as available_hours,
        (e.filtered_hours + e.hours_elsewhere * least(c.kept_share, 1.0)) * c.new_share as usable_hours
    from reached as e
    cross join chosen as m
    inner join common as c on e.draw = c.draw
)

select
    company_id,
    month,
    quantile_cont(hours_per_day, 0.05) as first_party_hours_per_day_p05,
    quantile_cont(hours_per_day, 0.5) as first_party_hours_per_day_p50,
    quantile_cont(hours_per_day, 0.95) as first_party_hours_per_day_p95,
    quantile_cont(stock_hours, 0.05) as first_party_stock_hours_p05,
    quantile_cont(stock_hours, 0.5) as first_party_stock_hours_p50,
    quantile_cont(stock_hours, 0.95) as first_party_stock_hours_p95,
    quantile_cont(available_hours, 0.05) as available_hours_p05,
    quantile_cont(available_hours, 0.5) as available_hours_p50,
    quantile_cont(available_hours, 0.95) as available_hours_p95,
    quantile_cont(usable_hours, 0.05) as usable_hours_p05,
    quantile_cont(usable_hours, 0.5) as usable_hours_p50,
    quantile_cont(usable_hours, 0.95) as usable_hours_p95
from summed
group by company_id, month
order by usable_hours_p50 desc, company_id
