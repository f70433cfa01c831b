"""What must be true of marts.platform_volume_draws beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnMinToBeBetween(
        column="draw",
        min_value=1,
        max_value=1,
        severity="critical",
        notes="Draws are counted from 1; every other table joins on that.",
    ),
    gxe.ExpectColumnMaxToBeBetween(
        column="draw",
        min_value=1_000,
        severity="critical",
        notes="Fewer than a thousand draws give a 5% tail that is off by more than a seventh of a standard deviation.",
    ),
]
