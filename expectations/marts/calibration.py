"""What must be true of marts.calibration beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnMeanToBeBetween(
        column="covered_90",
        min_value=0.80,
        max_value=0.99,
        severity="critical",
        notes="Intervals called 90% that cover less than 80% or nearly all of what was hidden are not 90% intervals.",
    ),
    gxe.ExpectColumnMeanToBeBetween(
        column="covered_50",
        min_value=0.40,
        max_value=0.75,
        severity="warning",
        notes="Above one half they are cautious, below it bold.",
    ),
    gxe.ExpectColumnDistinctValuesToEqualSet(
        column="held_out_by",
        value_set=["leave_one_platform_out", "leave_one_out", "later_statistics", "simulated"],
        severity="critical",
        notes="All four tests are side by side; each alone flatters.",
    ),
]
