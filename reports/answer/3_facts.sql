/*---
description: What carries it
---*/

with newest as (
    from marts.moat_answer
    where quarter_on = (select max(quarter_on) from marts.moat_answer)
),

primaries as (
    from marts.moat_test
    where list_contains((select boards_read from newest), board_id || ' ' || captured_on)
),

contrasts as (
    select
        found.definition_id,
        median(found.value) as middle,
        min(found.n_companies) as fewest,
        max(found.n_companies) as most,
        count(*) filter (where found.p_permutation < 0.05) as n_clear
    from marts.moat_association as found
    inner join primaries on found.board_id = primaries.board_id and found.captured_on = primaries.captured_on
    group by found.definition_id
),

said as (
    select
        1 as place,
        'With all hours counted the median correlation over the primary boards is ' || round(median_spearman, 2)
        || '; with short-video hours alone it is ' || round(median_short_spearman, 2)
        || '. Boards where video cannot help show '
        || coalesce(round(median_control_spearman, 2)::varchar, 'nothing held')
        || ' (' || n_control_boards || ' of them).' as sentence
    from newest
    union all
    select
        2,
        'Volumes fall in two heaps, so that it is largely owners against the rest: an owner''s best model is ahead of another company''s in '
        || round(100 * median(auc_platform))::integer || ' of 100 pairings (median over boards). Among the '
        || (
            select fewest || ' to ' || most from contrasts
            where definition_id = 'owners-usable-hours'
        )
        || ' owners themselves more hours go with a better place ('
        || (
            select round(middle, 2) from contrasts
            where definition_id = 'owners-usable-hours'
        )
        || ') and more videos a day do not ('
        || (
            select round(middle, 2) from contrasts
            where definition_id = 'owners-videos-per-day'
        )
        || '); so few can show nothing by themselves.'
    from primaries
    union all
    select
        3,
        'One company moves it most: without '
        || leave_one_out_driver
        || ' the correlation on '
        || board_id
        || ' falls from '
        || round(spearman, 2) || ' to ' || round(leave_one_out_low, 2) || '.'
    from primaries
    qualify row_number() over (order by spearman - leave_one_out_low desc, board_id) = 1
    union all
    select
        4,
        'Hours lie far closer together than videos: ' || evidence || '.'
    from marts.claim_check
    where claim_id = 'tiktok-gets-more-hours-than-youtube'
)

select sentence
from said
order by place
