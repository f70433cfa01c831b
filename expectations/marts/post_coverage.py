"""What must be true of marts.post_coverage beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="coverage",
        min_value=0,
        max_value=1,
        severity="critical",
        notes="A set cannot hold more posts of an hour than were posted in it.",
    ),
]
