"""What must be true of marts.assumption_draws beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnMinToBeBetween(
        column="draw",
        min_value=1,
        max_value=1,
        severity="critical",
        notes="Draws are counted from 1; every other table joins on that.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="assumption_name",
        value_set=["access_owner", "dup_share_hours", "scrape_hours", "yield_hours_raw_to_pretrain"],
        severity="critical",
        notes="What a company could use is made of at least these.",
    ),
]
