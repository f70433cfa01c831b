"""What must be true of marts.input_importance beyond its contract."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="variance_share",
        min_value=0,
        max_value=1,
        row_condition=Column("input_kind") != "interaction",
        severity="critical",
        notes="A first-order share of a variance is neither negative nor more than the whole.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="variance_share",
        min_value=0,
        max_value=1,
        row_condition=Column("input_kind") == "interaction",
        severity="critical",
        notes=(
            "What the first-order shares leave to one. Where the platforms of an owner share inputs, those shares count "
            "what they have in common more than once and sum to more than one: a correct fact can move this value, so "
            "only a value beyond the whole variance refuses a build."
        ),
    ),
    gxe.ExpectColumnDistinctValuesToEqualSet(
        column="input_kind",
        value_set=["observation", "assumption", "remainder", "interaction"],
        severity="critical",
        notes="Both facts and chosen numbers carry some of the width; if one kind is missing, its half was not taken apart.",
    ),
]
