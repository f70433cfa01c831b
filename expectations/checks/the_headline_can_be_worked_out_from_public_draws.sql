/*---
description: The headline's correlation, worked out again in SQL from public draws and published ratings, is the published one to 0.05; the rest is the ratings' own noise.
severity: critical
---*/

with pairs as (
    select
        companies.board_id,
        companies.captured_on,
        draws.draw,
        rank() over (
            partition by companies.board_id, companies.captured_on, draws.draw order by draws.usable_hours
        )
        + (
            count(*) over (
                partition by companies.board_id, companies.captured_on, draws.draw, draws.usable_hours
            ) - 1
        ) / 2.0 as volume_place,
        rank() over (
            partition by companies.board_id, companies.captured_on, draws.draw order by companies.best_rating
        )
        + (
            count(*) over (
                partition by companies.board_id, companies.captured_on, draws.draw, companies.best_rating
            ) - 1
        ) / 2.0 as rating_place
    from marts.company_moat as companies
    inner join marts.board_status as days
        on companies.board_id = days.board_id and companies.captured_on = days.captured_on and days.is_latest_usable
    inner join marts.company_moat_draws as draws
        on companies.company_id = draws.company_id and companies.volume_month = draws.month
    where companies.scenario_id = 'baseline'
),

correlations as (
    select
        board_id,
        captured_on,
        draw,
        corr(volume_place, rating_place) as spearman
    from pairs
    group by board_id, captured_on, draw
    having count(*) >= 8
),

again as (
    select
        board_id,
        captured_on,
        avg(spearman) as spearman_again
    from correlations
    group by board_id, captured_on
)

select
    tests.board_id,
    tests.captured_on,
    tests.spearman,
    again.spearman_again
from marts.moat_test as tests
inner join again on tests.board_id = again.board_id and tests.captured_on = again.captured_on
where abs(tests.spearman - again.spearman_again) > 0.05
