"""What must be true of marts.entity_match beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="match_status",
        value_set=["confirmed", "probable", "version_only", "ambiguous", "source_only", "parse_error", "unmatched"],
        severity="critical",
        notes="What is used by which answer is decided by these seven words.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="valid_to",
        column_B="valid_from",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A row that ends before it begins matches nothing.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="last_seen_on",
        column_B="first_seen_on",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A key is seen last on the day it is seen first, or later.",
    ),
    gxe.ExpectColumnValueLengthsToBeBetween(
        column="evidence",
        min_value=8,
        severity="critical",
        notes="A match without a reason cannot be checked by the next person.",
    ),
]
