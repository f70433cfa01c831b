"""What must be true of marts.moderation_day beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="n_statements",
        min_value=0,
        max_value=5e9,
        severity="critical",
        notes="The largest day of all platforms together has 737 million decisions.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="first_week_share",
        min_value=0,
        max_value=1,
        severity="critical",
        notes="A share beyond one counts a decision twice.",
    ),
]
