"""What must be true of marts.missing_entry beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="reason",
        value_set=["never_listed", "left", "unranked", "board_unusable"],
        severity="critical",
        notes="The four reasons are promised.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="missing_to",
        column_B="missing_from",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="An absence that ends before it begins is a fault in the runs.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="missing_from",
        column_B="last_seen_on",
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A model is missing after it was last ranked, not before.",
    ),
    gxe.ExpectColumnValuesToNotMatchRegex(
        column="model_id",
        regex="^unmatched:",
        severity="critical",
        notes="What nobody matched cannot be missing elsewhere.",
    ),
]
