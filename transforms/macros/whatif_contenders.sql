/*---
description: >
  Draws of the usable hours behind the newest complete reading of each primary board: one row a board, company and draw, with the
  rating, its error and what the partial test holds fixed. Made from the draws, so that a changed assumption shows at once.
  `from marts.whatif_contenders()`.
---*/

create or replace macro marts.whatif_contenders() as table
with newest as (
    select
        board_id,
        max(captured_on) as captured_on
    from marts.moat_test
    where board_role = 'primary'
    group by board_id
),

field as (
    select
        m.board_id,
        m.captured_on,
        m.company_id,
        m.has_platform,
        m.best_rating,
        m.best_rating_se,
        m.best_entry_key,
        m.best_released_on,
        m.is_open_weights,
        m.volume_month
    from marts.company_moat as m
    inner join newest as n on m.board_id = n.board_id and m.captured_on = n.captured_on
    where m.scenario_id = 'baseline'
),

wanted as (
    select distinct
        company_id,
        volume_month as month
    from field
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

own as (
    select
        p.company_id,
        p.month,
        v.draw,
        sum(
            case p.owned_part when 'without_us' then 1 - c.american_share when 'us_only' then c.american_share else 1.0 end
            * v.stock_hours * a.assumption_value * least(c.kept_share * exp(r.assumption_value), 1.0)
        ) as filtered_hours
    from marts.company_platform as p
    inner join wanted as w on p.company_id = w.company_id and p.month = w.month
    inner join marts.platform_volume_draws as v on p.platform_id = v.platform_id and p.month = v.month
    inner join common as c on v.draw = c.draw
    inner join marts.assumption_draws as a
        on a.assumption_name like 'access\_%' escape '\' and p.scope = a.scope and v.draw = a.draw
    inner join marts.assumption_draws as r
        on r.assumption_name = 'yield_platform_ratio_log' and p.platform_id = r.scope and v.draw = r.draw
    where p.is_in_totals
    group by p.company_id, p.month, v.draw
),

licensed as (
    select
        scope as company_id,
        draw,
        assumption_value
    from marts.assumption_draws
    where assumption_name = 'licensed_hours'
),

usable as (
    select
        w.company_id,
        w.month,
        s.draw,
        (coalesce(o.filtered_hours, 0.0) + (s.assumption_value + coalesce(l.assumption_value, 0.0)) * least(c.kept_share, 1.0)) * c.new_share
            as usable_hours
    from wanted as w
    inner join marts.assumption_draws as s on s.assumption_name = 'scrape_hours' and w.company_id = s.scope
    inner join common as c on s.draw = c.draw
    left join licensed as l on w.company_id = l.company_id and s.draw = l.draw
    left join own as o on w.company_id = o.company_id and w.month = o.month and s.draw = o.draw
)

select
    f.board_id,
    f.captured_on,
    f.company_id,
    f.has_platform,
    f.best_rating,
    f.best_rating_se,
    f.best_entry_key,
    f.best_released_on,
    coalesce(f.is_open_weights, false) as is_open_weights,
    u.draw,
    u.usable_hours
from field as f
inner join usable as u on f.company_id = u.company_id and f.volume_month = u.month
order by f.board_id, f.best_rating desc, f.best_rating_se, f.best_entry_key, f.company_id, u.draw
