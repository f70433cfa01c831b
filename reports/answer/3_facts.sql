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
        median(found.effect_p50) as corrected,
        min(found.n_companies) as fewest,
        max(found.n_companies) as most
    from marts.moat_association as found
    inner join primaries on found.board_id = primaries.board_id and found.captured_on = primaries.captured_on
    group by found.definition_id
),

said as (
    select
        0 as place,
        'A board supports it by more than a correlation: ' || n_positive || ' of ' || n_primary_boards
        || ' show one with p < 0.05, and ' || n_supported
        || ' meet every condition (interval above 0, without any one company too, and after release date and openness).'
        as sentence
    from newest
    union all
    select
        1,
        'With all hours counted the median correlation over the primary boards is ' || round(median_spearman, 2)
        || '; with short-video hours alone it is ' || round(median_short_spearman, 2)
        || ', and corrected for noise '
        || (select round(corrected, 2) from contrasts where definition_id = 'headline') || ' and '
        || (select round(corrected, 2) from contrasts where definition_id = 'short-usable-hours')
        || '. How sure the comparison is: the difference is ' || round(short_difference, 2) || ', by its 90 % interval '
        || round(short_difference_p05, 2) || ' to ' || round(short_difference_p95, 2)
        || '; the rule compares the medians as they are.'
    from newest
    union all
    select
        1.5,
        case
            when n_control_boards = 0 then 'No board where video cannot help is held.'
            else
                'On ' || n_control_boards || ' boards where video cannot help the median correlation is '
                || round(median_control_spearman, 2) || ', ' || round(control_difference, 2)
                || ' from that on the primary boards (90 % interval ' || round(control_difference_p05, 2) || ' to '
                || round(control_difference_p95, 2) || ').'
        end
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
        || ' owners themselves the correlation with usable hours is '
        || (
            select round(middle, 2) from contrasts
            where definition_id = 'owners-usable-hours'
        )
        || ' and with videos a day '
        || (
            select round(middle, 2) from contrasts
            where definition_id = 'owners-videos-per-day'
        )
        || '; so few can show nothing by themselves.'
    from primaries
    union all
    select
        3,
        'One company moves it most: without '
        || companies.company_name
        || ' the correlation on '
        || primaries.board_id
        || ' goes from '
        || round(primaries.spearman, 2)
        || ' to '
        || case
            when primaries.spearman - primaries.leave_one_out_low >= primaries.leave_one_out_high - primaries.spearman
                then round(primaries.leave_one_out_low, 2)
            else round(primaries.leave_one_out_high, 2)
        end
        || '.'
    from primaries
    inner join marts.company_moat as companies
        on
            primaries.board_id = companies.board_id
            and primaries.captured_on = companies.captured_on
            and primaries.leave_one_out_driver = companies.company_id
            and companies.scenario_id = 'baseline'
    qualify row_number() over (
        order by
            greatest(
                primaries.spearman - primaries.leave_one_out_low, primaries.leave_one_out_high - primaries.spearman
            ) desc,
            primaries.board_id asc
    ) = 1
    union all
    select
        3.5,
        'One company costs it most: without '
        || companies.company_name
        || ' p on '
        || primaries.board_id
        || ' goes from '
        || round(primaries.p_permutation, 3)
        || ' to '
        || round(primaries.worst_p_without_one, 3)
        || '.'
    from primaries
    inner join marts.company_moat as companies
        on
            primaries.board_id = companies.board_id
            and primaries.captured_on = companies.captured_on
            and primaries.worst_without_company_id = companies.company_id
            and companies.scenario_id = 'baseline'
    qualify row_number() over (order by primaries.worst_p_without_one desc, primaries.board_id asc) = 1
    union all
    select
        4,
        'Hours lie far closer together than videos: ' || videos.evidence || '; ' || hours.evidence || '.'
    from marts.claim_check as videos
    cross join marts.claim_check as hours
    where
        videos.claim_id = 'tiktok-gets-more-videos-than-youtube'
        and hours.claim_id = 'tiktok-gets-more-hours-than-youtube'
)

select sentence
from said
order by place
