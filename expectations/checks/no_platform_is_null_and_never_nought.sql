/*---
description: A company without a platform has no first-party volume, not a volume of 0, and one with a platform has some.
severity: critical
---*/

select
    board_id,
    captured_on,
    company_id,
    scenario_id,
    has_platform,
    first_party_stock_hours_p50
from marts.company_moat
where
    has_platform <> (first_party_stock_hours_p50 is not null)
    or first_party_stock_hours_p05 <= 0
    or first_party_hours_per_day_p05 <= 0
