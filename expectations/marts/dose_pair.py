"""What must be true of marts.dose_pair beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="dose_ratio",
        min_value=0.01,
        max_value=1000,
        severity="critical",
        notes="A larger ratio is two units taken for one.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="rating_change",
        min_value=-400,
        max_value=400,
        severity="warning",
        notes="Generations are within a board's own range.",
    ),
]
