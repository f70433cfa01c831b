"""What must be true of intermediate.int_board__scale_link beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="median_abs_move",
        min_value=0,
        max_value=30,
        severity="warning",
        notes="The largest common move of neighbouring captures so far is 16.6 points and the rule breaks at 40: check between.",
    ),
]
