/*---
description: >
  The verdict over boards for each quarter, by the rule of decision 0010: the last complete board of the quarter of each of the four primary boards, and of the control boards the last up to then.
grain: [quarter_on]
nullable:
  - median_spearman
  - median_short_spearman
  - median_control_spearman
  - short_difference
  - short_difference_p05
  - short_difference_p95
  - control_difference
  - control_difference_p05
  - control_difference_p95
  - median_partial_share
  - median_power_at_half
  - median_owners_spearman
  - n_led_without_platform_before
---*/

with thresholds as (
    select
        max(threshold_value) filter (where threshold_id = 'max_p') as max_p,
        max(threshold_value) filter (where threshold_id = 'effect_of_interest') as effect_of_interest,
        max(threshold_value) filter (where threshold_id = 'vanishing_partial_share') as vanishing_partial_share,
        max(threshold_value) filter (where threshold_id = 'min_n_boards')::integer as min_n_boards,
        max(threshold_value) filter (where threshold_id = 'min_n_boards_against')::integer as min_n_boards_against
    from staging.stg_reference__moat_thresholds
),

leaders as (
    select
        board_id,
        captured_on,
        bool_and(has_platform) as has_platform
    from intermediate.int_moat__company
    where scenario_id = 'baseline' and company_rank = 1
    group by board_id, captured_on
),

tests as (
    select
        verdicts.board_id,
        verdicts.captured_on,
        date_trunc('quarter', verdicts.captured_on)::date as quarter_on,
        boards.board_role,
        verdicts.spearman,
        verdicts.p_permutation,
        verdicts.effect_p95,
        verdicts.partial_spearman,
        verdicts.power_at_half,
        verdicts.verdict,
        short.value as short_spearman,
        owners.value as owners_spearman,
        leaders.has_platform as is_led_by_owner
    from intermediate.int_moat__verdict as verdicts
    inner join intermediate.int_moat__board as boards on verdicts.board_id = boards.board_id
    left join intermediate.int_moat__association as short
        on
            verdicts.board_id = short.board_id
            and verdicts.captured_on = short.captured_on
            and short.definition_id = 'short-usable-hours'
    left join intermediate.int_moat__association as owners
        on
            verdicts.board_id = owners.board_id
            and verdicts.captured_on = owners.captured_on
            and owners.definition_id = 'owners-usable-hours'
    left join leaders
        on verdicts.board_id = leaders.board_id and verdicts.captured_on = leaders.captured_on
),

primaries as (
    select *
    from tests
    where board_role = 'primary'
    qualify row_number() over (partition by board_id, quarter_on order by captured_on desc) = 1
),

controls as (
    select
        quarters.quarter_on,
        tests.board_id,
        tests.captured_on,
        tests.spearman
    from (select distinct quarter_on from primaries) as quarters
    inner join tests on tests.board_role = 'control' and quarters.quarter_on >= tests.quarter_on
    qualify row_number() over (partition by quarters.quarter_on, tests.board_id order by tests.captured_on desc) = 1
),

-- How sure the two comparisons of medians are: each company of the quarter is left out of all boards at once (jackknife).
readings as (
    select
        quarter_on,
        board_id,
        captured_on,
        'all' as part,
        'headline' as definition_id,
        spearman as value
    from primaries
    union all
    select
        quarter_on,
        board_id,
        captured_on,
        'short' as part,
        'short-usable-hours' as definition_id,
        short_spearman as value
    from primaries
    union all
    select
        quarter_on,
        board_id,
        captured_on,
        'control' as part,
        'headline' as definition_id,
        spearman as value
    from controls
),

left_out as (
    select
        board_id,
        captured_on,
        definition_id,
        unnest(company_ids) as company_id,
        unnest(values_without_one) as value_without
    from intermediate.int_moat__association
    where definition_id in ('headline', 'short-usable-hours')
),

companies as (
    select
        readings.quarter_on,
        left_out.company_id,
        bool_or(readings.part <> 'control') as is_on_primary
    from readings
    inner join left_out
        on
            readings.board_id = left_out.board_id
            and readings.captured_on = left_out.captured_on
            and readings.definition_id = left_out.definition_id
    group by readings.quarter_on, left_out.company_id
),

medians_without as (
    select
        readings.quarter_on,
        companies.company_id,
        companies.is_on_primary,
        median(coalesce(left_out.value_without, readings.value)) filter (where readings.part = 'all') as without_all,
        median(coalesce(left_out.value_without, readings.value)) filter (where readings.part = 'short')
            as without_short,
        median(coalesce(left_out.value_without, readings.value)) filter (where readings.part = 'control')
            as without_control
    from readings
    inner join companies on readings.quarter_on = companies.quarter_on
    left join left_out
        on
            readings.board_id = left_out.board_id
            and readings.captured_on = left_out.captured_on
            and readings.definition_id = left_out.definition_id
            and companies.company_id = left_out.company_id
    group by readings.quarter_on, companies.company_id, companies.is_on_primary
),

differences as (
    select
        quarter_on,
        company_id,
        case when is_on_primary then (without_short - without_all)::decimal(18, 12) end as short_difference,
        (without_control - without_all)::decimal(18, 12) as control_difference
    from medians_without
),

centres as (
    select
        quarter_on,
        count(short_difference) as n_short,
        count(control_difference) as n_control,
        sum(short_difference)::double / count(short_difference) as short_centre,
        sum(control_difference)::double / count(control_difference) as control_centre
    from differences
    group by quarter_on
),

errors as (
    select
        differences.quarter_on,
        1.6448536 * sqrt(
            (centres.n_short - 1) / centres.n_short
            * sum(((differences.short_difference - centres.short_centre) ** 2)::decimal(18, 15))::double
        ) as short_half_width,
        1.6448536 * sqrt(
            (centres.n_control - 1) / centres.n_control
            * sum(((differences.control_difference - centres.control_centre) ** 2)::decimal(18, 15))::double
        ) as control_half_width
    from differences
    inner join centres on differences.quarter_on = centres.quarter_on
    group by differences.quarter_on, centres.n_short, centres.n_control
),

control_medians as (
    select
        quarter_on,
        count(spearman)::integer as n_control_boards,
        round(median(spearman), 6) as median_control_spearman
    from controls
    group by quarter_on
),

counted as (
    select
        primaries.quarter_on,
        list_sort(list(primaries.board_id || ' ' || primaries.captured_on)) as boards_read,
        count(*)::integer as n_primary_boards,
        (count(*) filter (where primaries.verdict = 'supported'))::integer as n_supported,
        (count(*) filter (where primaries.verdict = 'not_supported'))::integer as n_not_supported,
        (count(*) filter (where primaries.verdict = 'cannot_tell'))::integer as n_cannot_tell,
        (count(*) filter (where primaries.spearman > 0 and primaries.p_permutation < thresholds.max_p))::integer
            as n_positive,
        (count(*) filter (where primaries.effect_p95 < thresholds.effect_of_interest))::integer as n_interval_below,
        round(median(primaries.spearman), 6) as median_spearman,
        round(median(primaries.short_spearman), 6) as median_short_spearman,
        round(median(primaries.partial_spearman / primaries.spearman) filter (
            where primaries.spearman > 0 and primaries.p_permutation < thresholds.max_p
        ), 6) as median_partial_share,
        round(median(primaries.power_at_half), 6) as median_power_at_half,
        round(median(primaries.owners_spearman), 6) as median_owners_spearman,
        (count(*) filter (where not primaries.is_led_by_owner))::integer as n_led_without_platform
    from primaries
    cross join thresholds
    group by primaries.quarter_on
),

pages as (
    select
        primaries.quarter_on,
        list_sort(list_distinct(flatten(list(evidence.citation_ids)))) as citation_ids,
        list_sort(list_distinct(flatten(list(evidence.assumption_ids)))) as assumption_ids
    from primaries
    inner join intermediate.int_moat__evidence as evidence
        on primaries.board_id = evidence.board_id and primaries.captured_on = evidence.captured_on
    group by primaries.quarter_on
),

judged as (
    select
        counted.*,
        pages.citation_ids,
        pages.assumption_ids,
        coalesce(control_medians.n_control_boards, 0) as n_control_boards,
        control_medians.median_control_spearman,
        round(counted.median_short_spearman - counted.median_spearman, 6) as short_difference,
        round(control_medians.median_control_spearman - counted.median_spearman, 6) as control_difference,
        errors.short_half_width,
        errors.control_half_width,
        lag(counted.n_led_without_platform) over (order by counted.quarter_on) as n_led_without_platform_before,
        thresholds.min_n_boards,
        case
            when
                counted.n_supported >= thresholds.min_n_boards
                and counted.median_short_spearman >= counted.median_spearman
                then 'enough_boards_support_it'
            when counted.n_interval_below >= thresholds.min_n_boards_against then 'effect_below_interest'
            when
                counted.n_positive >= thresholds.min_n_boards
                and counted.median_partial_share < thresholds.vanishing_partial_share
                then 'explained_by_date_and_openness'
            when
                counted.n_positive >= thresholds.min_n_boards
                and control_medians.median_control_spearman >= counted.median_spearman
                then 'controls_as_strong'
            when
                counted.n_positive >= thresholds.min_n_boards
                and counted.median_short_spearman < counted.median_spearman
                then 'short_video_does_worse'
            else 'too_few_boards_agree'
        end as verdict_reason
    from counted
    cross join thresholds
    inner join pages on counted.quarter_on = pages.quarter_on
    left join control_medians on counted.quarter_on = control_medians.quarter_on
    left join errors on counted.quarter_on = errors.quarter_on
)

select
    quarter_on,
    boards_read,
    n_primary_boards,
    n_supported,
    n_not_supported,
    n_cannot_tell,
    n_positive,
    n_interval_below,
    median_spearman,
    median_short_spearman,
    short_difference,
    round(short_difference - short_half_width, 6) as short_difference_p05,
    round(short_difference + short_half_width, 6) as short_difference_p95,
    n_control_boards,
    median_control_spearman,
    control_difference,
    round(control_difference - control_half_width, 6) as control_difference_p05,
    round(control_difference + control_half_width, 6) as control_difference_p95,
    median_partial_share,
    median_power_at_half,
    median_owners_spearman,
    n_led_without_platform,
    n_led_without_platform_before,
    case verdict_reason
        when 'enough_boards_support_it' then 'supported'
        when 'too_few_boards_agree' then 'cannot_tell'
        else 'not_supported'
    end as verdict,
    verdict_reason,
    case verdict_reason
        when 'enough_boards_support_it'
            then
                'Supported: on ' || n_supported || ' of ' || n_primary_boards
                || ' primary boards companies with more usable video rank higher,'
                || ' and short video alone does at least as well (median correlation '
                || round(median_short_spearman, 2) || ' against ' || round(median_spearman, 2) || ').'
        when 'effect_below_interest'
            then
                'Not supported: on ' || n_interval_below || ' of ' || n_primary_boards
                || ' primary boards even the upper end of the corrected correlation is too small to matter.'
        when 'explained_by_date_and_openness'
            then
                'Not supported: on ' || n_positive || ' of ' || n_primary_boards || ' primary boards more usable video'
                || ' goes with a better place, and release date and open weights account for most of it.'
        when 'controls_as_strong'
            then
                'Not supported: on ' || n_positive || ' of ' || n_primary_boards || ' primary boards more usable video'
                || ' goes with a better place, and boards where video cannot help show as much (median correlation '
                || round(median_control_spearman, 2) || ' against ' || round(median_spearman, 2) || ').'
        when 'short_video_does_worse'
            then
                'Not supported as a claim about short video: on ' || n_positive || ' of ' || n_primary_boards
                || ' primary boards more usable video of all kinds goes with a better place, but short video alone does'
                || ' worse (median correlation ' || round(median_short_spearman, 2) || ' against '
                || round(median_spearman, 2) || ').'
        else
            'Cannot tell: ' || n_supported || ' of ' || n_primary_boards || ' primary boards support it and '
            || n_not_supported || ' speak against it; ' || min_n_boards || ' would be needed.'
    end as verdict_text,
    case verdict_reason
        when 'enough_boards_support_it'
            then
                'Fewer than ' || min_n_boards || ' boards that support it (now ' || n_supported
                || '), or short video alone doing worse than all video.'
        when 'effect_below_interest'
            then 'Intervals that reach a correlation that matters on more boards.'
        when 'too_few_boards_agree'
            then
                'Boards that support it: now ' || n_supported || ', and ' || min_n_boards
                || ' would do with short video as strong; boards with a clear correlation: now ' || n_positive
                || ', and ' || min_n_boards || ' would let the counter-checks decide.'
        else
            'Fewer than ' || min_n_boards || ' boards with a clear correlation (now ' || n_positive
            || ') would make it cannot tell; '
            || case verdict_reason
                when 'short_video_does_worse' then 'short video alone doing as well as all video'
                when 'controls_as_strong' then 'a weaker link where video cannot help'
                else 'more left after release date and open weights'
            end
            || ', with ' || min_n_boards || ' boards that support it (now ' || n_supported
            || '), would make it supported.'
    end as what_would_change_it,
    citation_ids,
    assumption_ids
from judged
