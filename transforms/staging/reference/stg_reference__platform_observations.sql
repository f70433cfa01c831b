/*---
description: Every published statistic of a platform that we hold, used or not.
grain: [fact_id]
nullable: [value_low, value_high, observed_on, publisher, unusable_reason, supersedes_fact_id, note]
---*/

select
    fact_id,
    platform_id,
    metric,
    value,
    value_low,
    value_high,
    bound,
    unit,
    period_start_on,
    period_end_on,
    observed_on,
    period_basis,
    geography,
    publisher,
    originator,
    source_kind,
    tier::integer as tier,
    verification,
    is_usable,
    unusable_reason,
    supersedes_fact_id,
    figure_as_stated,
    citation_id,
    note
from raw.reference__platform_observations
