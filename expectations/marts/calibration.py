"""What must be true of marts.calibration beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnMeanToBeBetween(
        column="covered_90",
        min_value=0.80,
        max_value=0.99,
        severity="critical",
        notes="Intervals called 90% that hold less than 80% or nearly all of what was hidden are not 90% intervals.",
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
        value_set=["leave_one_out", "later_figures", "made_worlds"],
        severity="critical",
        notes="All three tests stand side by side; each alone flatters.",
    ),
]
