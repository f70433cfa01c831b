/*---
description: >
  company_moat_draws worked out again from the draws it was made from: hours each company could use, of all video and of short video
  alone, in the months that company_moat asks for. Where assumption_draws holds other numbers, they show at once.
  `from marts.whatif_moat_draws()`.
---*/

create or replace macro marts.whatif_moat_draws() as table
with wanted as (
    select distinct
        company_id,
        volume_month as month
    from marts.company_moat
),

common as (
    select
        d.draw,
        1 - d.assumption_value as new_share,
        y.assumption_value as kept_share,
        u.assumption_value as american_share
    from marts.assumption_draws as d
    inner join marts.assumption_draws as y
        on d.draw = y.draw and y.assumption_name = 'yield_hours_raw_to_pretrain' and y.scope = 'all'
    inner join marts.assumption_draws as u
        on d.draw = u.draw and u.assumption_name = 'tiktok_us_share' and u.scope = 'all'
    where d.assumption_name = 'dup_share_hours' and d.scope = 'all'
),

filtered as (
    select
        p.company_id,
        p.month,
        v.draw,
        p.is_in_totals,
        p.is_short,
        case p.owned_part when 'without_us' then 1 - c.american_share when 'us_only' then c.american_share else 1.0 end
        * v.stock_hours * a.assumption_value as raw_hours,
        least(c.kept_share * exp(r.assumption_value), 1.0) as retained_share
    from marts.company_platform as p
    inner join wanted as w on p.company_id = w.company_id and p.month = w.month
    inner join marts.platform_volume_draws as v on p.platform_id = v.platform_id and p.month = v.month
    inner join common as c on v.draw = c.draw
    inner join marts.assumption_draws as a
        on a.assumption_name like 'access\_%' escape '\' and p.scope = a.scope and v.draw = a.draw
    inner join marts.assumption_draws as r
        on r.assumption_name = 'yield_platform_ratio_log' and p.platform_id = r.scope and v.draw = r.draw
),

own as (
    select
        company_id,
        month,
        draw,
        sum(raw_hours) filter (where is_in_totals) as raw_hours,
        sum(raw_hours * retained_share) filter (where is_in_totals) as hours,
        sum(raw_hours * retained_share) filter (where is_short) as short_hours
    from filtered
    group by company_id, month, draw
),

licensed as (
    select
        scope as company_id,
        draw,
        assumption_value
    from marts.assumption_draws
    where assumption_name = 'licensed_hours'
),

elsewhere as (
    select
        w.company_id,
        w.month,
        s.draw,
        c.new_share,
        greatest(
            s.assumption_value + coalesce(l.assumption_value, 0.0),
            coalesce(v.disclosed_pool_hours, 0.0) - coalesce(o.raw_hours, 0.0)
        ) * least(c.kept_share, 1.0) as hours
    from wanted as w
    inner join marts.company_volume as v
        on w.company_id = v.company_id and w.month = v.month and v.scenario_id = 'baseline'
    inner join marts.assumption_draws as s on s.assumption_name = 'scrape_hours' and s.scope = 'all'
    inner join common as c on s.draw = c.draw
    left join licensed as l on w.company_id = l.company_id and s.draw = l.draw
    left join own as o on w.company_id = o.company_id and w.month = o.month and s.draw = o.draw
)

select
    e.company_id,
    e.month,
    e.draw,
    (coalesce(o.hours, 0.0) + e.hours) * e.new_share as usable_hours,
    (coalesce(o.short_hours, 0.0) + e.hours) * e.new_share as short_usable_hours
from elsewhere as e
left join own as o on e.company_id = o.company_id and e.month = o.month and e.draw = o.draw
order by e.company_id, e.month, e.draw
