"""What must be true of marts.company_moat_draws beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="available_hours",
        column_B="usable_hours",
        or_equal=True,
        severity="critical",
        notes="Filters take away, or at the very most nothing: a retention rate is at most one, and a draw in some thousands reaches it.",
    ),
    gxe.ExpectColumnMinToBeBetween(
        column="draw",
        min_value=1,
        max_value=1,
        severity="critical",
        notes="Draws are counted from 1; every other table joins on that.",
    ),
]
