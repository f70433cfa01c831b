"""What must be true of marts.company_pair beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="p_a_greater",
        min_value=0,
        max_value=1,
        severity="critical",
        notes="A share of draws.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="company_b",
        column_B="company_a",
        severity="critical",
        notes="Each pair is listed once, in alphabetical order; the other order is one minus it.",
    ),
]
