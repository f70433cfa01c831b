"""What must be true of marts.moderation_regime beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="ends_on",
        column_B="begins_on",
        or_equal=True,
        severity="critical",
        notes="A stretch that ends before it begins holds no day.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="daily_level",
        min_value=0,
        max_value=5e9,
        severity="critical",
        notes="The largest day of all platforms together has 737 million decisions.",
    ),
]
