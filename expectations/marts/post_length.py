"""What must be true of marts.post_length beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="mean_seconds_raw",
        min_value=1,
        max_value=3600,
        severity="critical",
        notes="A mean length beyond an hour is milliseconds read as seconds.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="mean_seconds_p95",
        column_B="mean_seconds_p05",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="An interval whose ends cross is not an interval.",
    ),
]
