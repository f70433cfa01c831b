"""What must be true of marts.source_freshness beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="last_attempt_at",
        column_B="last_success_at",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A source cannot have responded after it was last fetched.",
    ),
    gxe.ExpectColumnValuesToMatchRegex(
        column="reason",
        regex=r".{12,}",
        severity="critical",
        notes="A state without a reason sends a person looking in the wrong place.",
    ),
]
