"""What must be true of marts.moderation_cross_check beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="n_states",
        min_value=1,
        max_value=27,
        severity="critical",
        notes="The EU has 27 states.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="removed_to_statements_ratio",
        min_value=0.2,
        max_value=5,
        severity="warning",
        notes="A platform that reports five times more, or less, to the one than to the other is a finding to look at.",
    ),
]
