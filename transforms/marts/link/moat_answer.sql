/*---
description: >
  The answer, one row a quarter: what the four primary boards say together, by the rule that was fixed in advance (docs/decisions/0010), and the signs that are printed beside it and decide nothing.
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
caveats:
  - Medians are over boards that share models and raters; they are not pooled evidence.
  - The rule compares medians of short video with all video, and of control boards with primary ones, as they are. short_difference and control_difference with their intervals say how sure these comparisons are, and decide nothing.
  - A board counts in n_positive by its test alone; n_supported asks more of it (interval, no single company, date and openness), so that it can be smaller.
  - median_owners_spearman is over five to seven companies a board and decides nothing.
  - Before 2026-02 only one publisher's boards are held, so that at most two of the four primary boards speak.
---*/

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
    short_difference_p05,
    short_difference_p95,
    n_control_boards,
    median_control_spearman,
    control_difference,
    control_difference_p05,
    control_difference_p95,
    median_partial_share,
    median_power_at_half,
    median_owners_spearman,
    n_led_without_platform,
    n_led_without_platform_before,
    verdict,
    verdict_reason,
    verdict_text,
    what_would_change_it,
    citation_ids,
    assumption_ids
from intermediate.int_moat__answer
order by quarter_on
