"""What must be true of marts.input_importance beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="variance_share",
        min_value=-0.3,
        max_value=1,
        severity="critical",
        notes="A share of a variance; only interactions may be a little below zero, where platforms share priors.",
    ),
    gxe.ExpectColumnDistinctValuesToEqualSet(
        column="input_kind",
        value_set=["observation", "assumption", "remainder", "interaction"],
        severity="critical",
        notes="Both facts and chosen numbers carry some of the width; if one kind is missing, its half was not taken apart.",
    ),
]
