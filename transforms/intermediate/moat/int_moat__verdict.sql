/*---
description: >
  The headline's test on each complete board with its verdict by the rule of decision 0010, said in words, with what would change it.
grain: [board_id, captured_on]
nullable:
  - spearman
  - p_permutation
  - p_method
  - n_permutations
  - min_possible_p
  - effect_p05
  - effect_p50
  - effect_p95
  - partial_spearman
  - p_partial
  - auc_platform
  - volume_reliability
  - rating_reliability
  - power_at_half
  - leave_one_out_low
  - leave_one_out_high
  - leave_one_out_driver
  - worst_p_without_one
  - worst_without_company_id
  - rho_measurement_only_p05
  - rho_measurement_only_p50
  - rho_measurement_only_p95
---*/

with thresholds as (
    select
        max(threshold_value) filter (where threshold_id = 'min_n_companies')::integer as min_n_companies,
        max(threshold_value) filter (where threshold_id = 'min_n_with_platform')::integer as min_n_with_platform,
        max(threshold_value) filter (where threshold_id = 'min_volume_reliability') as min_volume_reliability,
        max(threshold_value) filter (where threshold_id = 'max_p_leave_one_out') as max_p_leave_one_out,
        max(threshold_value) filter (where threshold_id = 'min_partial_share') as min_partial_share,
        max(threshold_value) filter (where threshold_id = 'effect_of_interest') as effect_of_interest
    from staging.stg_reference__moat_thresholds
),

headline as (
    select
        test.*,
        association.power_at_half,
        association.leave_one_out_low,
        association.leave_one_out_high,
        association.leave_one_out_driver,
        coalesce(driver.name, test.worst_without_company_id) as carrier_name
    from intermediate.int_moat__test as test
    inner join intermediate.int_moat__association as association
        on
            test.board_id = association.board_id
            and test.captured_on = association.captured_on
            and association.is_headline
    left join staging.stg_reference__companies as driver on test.worst_without_company_id = driver.company_id
)

select
    headline.board_id,
    headline.captured_on,
    headline.n_companies,
    headline.n_with_platform,
    headline.spearman,
    headline.p_permutation,
    headline.p_method,
    headline.n_permutations,
    headline.min_possible_p,
    headline.effect_p05,
    headline.effect_p50,
    headline.effect_p95,
    headline.partial_spearman,
    headline.p_partial,
    headline.auc_platform,
    headline.power_at_half,
    headline.volume_reliability,
    headline.rating_reliability,
    headline.leave_one_out_low,
    headline.leave_one_out_high,
    headline.leave_one_out_driver,
    headline.worst_p_without_one,
    headline.worst_without_company_id,
    headline.rho_measurement_only_p05,
    headline.rho_measurement_only_p50,
    headline.rho_measurement_only_p95,
    headline.verdict,
    headline.verdict_reason,
    case headline.verdict_reason
        when 'too_few_companies'
            then
                'Cannot tell: companies on this board: ' || headline.n_companies || ', and a test needs '
                || thresholds.min_n_companies || '.'
        when 'too_few_platform_owners'
            then
                'Cannot tell: companies on this board that own a platform: ' || headline.n_with_platform
                || ', so that volumes differ by little more than a common prior.'
        when 'ratings_tied' then 'Cannot tell: all companies have the same rating.'
        when 'volumes_tied' then 'Cannot tell: all companies have the same volume.'
        when 'volumes_too_uncertain'
            then
                'Cannot tell: volumes are too uncertain to rank (reliability '
                || round(headline.volume_reliability, 2) || ').'
        when 'not_computable' then 'Cannot tell: the statistic cannot be computed on this board.'
        when 'all_conditions_met'
            then
                'Supported on this board: companies with more usable video rank higher (correlation '
                || round(headline.spearman, 2) || ', p ' || round(headline.p_permutation, 3)
                || '), no single company makes it, and release date and open weights do not explain it.'
        when 'effect_below_interest'
            then
                'Not supported: even the upper end of the corrected correlation ('
                || round(headline.effect_p95, 2) || ') is below ' || thresholds.effect_of_interest || '.'
        when 'explained_by_date_and_openness'
            then
                'Not supported: with release date and open weights held fixed, '
                || round(headline.partial_spearman, 2)
                || ' is left of a correlation of '
                || round(headline.spearman, 2)
                || '.'
        when 'test_not_positive'
            then
                'Cannot tell: the correlation is ' || round(headline.spearman, 2) || ' and chance does as well in '
                || round(100 * headline.p_permutation, 1) || ' % of shuffles; a true correlation of 0.5 would be seen '
                || round(100 * headline.power_at_half, 0)::integer || ' % of the time.'
        when 'interval_includes_zero'
            then
                'Cannot tell: the test is positive (p ' || round(headline.p_permutation, 3)
                || ') and the corrected correlation may still be nought (' || round(headline.effect_p05, 2) || ' to '
                || round(headline.effect_p95, 2) || ').'
        when 'one_company_carries_it'
            then
                'Cannot tell: without ' || headline.carrier_name || ' p is '
                || round(headline.worst_p_without_one, 2) || '.'
        when 'partly_date_and_openness'
            then
                'Cannot tell: with release date and open weights held fixed, '
                || coalesce(round(headline.partial_spearman, 2)::varchar, 'nothing computable') || ' is left of '
                || round(headline.spearman, 2) || '.'
        else 'Cannot tell.'
    end as verdict_text,
    case headline.verdict_reason
        when 'too_few_companies' then 'A board with ' || thresholds.min_n_companies || ' companies or more.'
        when
            'too_few_platform_owners'
            then 'A board with ' || thresholds.min_n_with_platform || ' platform owners or more.'
        when 'ratings_tied' then 'Ratings that differ.'
        when 'volumes_tied' then 'Volumes that differ.'
        when
            'volumes_too_uncertain'
            then 'One published upload count for a platform that has none; see input_importance.'
        when 'not_computable' then 'More companies.'
        when 'all_conditions_met'
            then
                'A company without a platform moving to the top, or a platform owner''s best model falling; '
                || 'without one company p is at most '
                || round(headline.worst_p_without_one, 3) || '.'
        when 'effect_below_interest' then 'Platform owners ahead of the rest on a later board.'
        when 'explained_by_date_and_openness' then 'Owners ahead of companies whose models are as new.'
        when 'test_not_positive'
            then
                'More companies on the board, or a clearer order: with ' || headline.n_companies
                || ' companies only a strong link can show.'
        else
            -- Every condition that fails, since mending the first alone would change nothing.
            'Needed: ' || concat_ws(
                '; and ',
                case when headline.effect_p05 <= 0 then 'narrower volumes (see input_importance) or more companies' end,
                case
                    when headline.worst_p_without_one > thresholds.max_p_leave_one_out
                        then 'the same order without ' || headline.carrier_name
                end,
                case
                    when
                        coalesce(headline.partial_spearman, 0) < thresholds.min_partial_share * headline.spearman
                        then 'owners ahead of companies whose models are as new and as closed'
                end
            ) || '.'
    end as what_would_change_it
from headline
cross join thresholds
