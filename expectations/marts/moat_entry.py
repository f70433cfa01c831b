"""What must be true of marts.moat_entry beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="captured_on",
        column_B="released_on",
        or_equal=True,
        severity="critical",
        notes="A volume later than the board would let a company train on video that did not exist yet.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="rating_se", min_value=0, max_value=60, severity="warning", notes="Published intervals are 4 to 120 points wide."
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="company_id",
        value_set=["bytedance", "google", "kuaishou", "minimax", "openai", "runway"],
        severity="critical",
        notes="The question names these; one missing is a broken join, not news.",
    ),
]
