/*---
description: >
  The number of ranked entries of a complete board moves by more than three only with as many entries added, removed, retired or restored.
severity: critical
---*/
with moves as (
    select
        board_id,
        captured_on,
        n_ranked - lag(n_ranked) over (partition by board_id order by captured_on) as n_more
    from (
        select
            board_id,
            captured_on,
            count(*) filter (where is_ranked) as n_ranked
        from marts.leaderboard
        group by board_id, captured_on
    ) as counted
),

causes as (
    select
        board_id,
        captured_on,
        count(*) filter (where cause in ('entered', 'left', 'retired', 'restored', 'renamed', 'scale_change')) as n_causes
    from marts.rating_change
    group by board_id, captured_on
)

select
    moves.board_id,
    moves.captured_on,
    moves.n_more,
    causes.n_causes
from moves
left join causes on moves.board_id = causes.board_id and moves.captured_on = causes.captured_on
where abs(moves.n_more) > 3 and abs(moves.n_more) > coalesce(causes.n_causes, 0)
