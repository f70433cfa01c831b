"""What must be true of marts.board_scale beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="valid_to",
        column_B="valid_from",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A scale that ends before it begins would take no capture.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="anchor_rating",
        min_value=900,
        max_value=1100,
        severity="warning",
        notes="Every anchor seen is held at 1,000; another value means that the rule took a chance zero for an anchor.",
    ),
    gxe.ExpectColumnValuesToMatchRegex(
        column="scale_id",
        regex=r"^[a-z_]+/\d+$",
        severity="critical",
        notes="Ratings are compared by this key; one without its board would join two boards.",
    ),
]
