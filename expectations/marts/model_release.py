"""What must be true of marts.model_release beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="released_on_high",
        column_B="released_on_low",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A range whose ends cross is not a range.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="released_on_high",
        column_B="released_on",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="The published date is one of those in the range.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="released_on",
        column_B="released_on_low",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="The published date is one of those in the range.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="parameters_billion",
        min_value=0.5,
        max_value=200,
        severity="warning",
        notes="Video models disclosed so far have 1 to 65 billion parameters; far outside, millions were read as billions.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="model_id",
        value_set=["kling-3-0-pro", "seedance-2-0", "happyhorse-1-0", "gemini-omni-flash", "veo-3-1", "sora-2", "runway-gen-4-5"],
        severity="critical",
        notes="The claims name these models; without them they cannot be tested.",
    ),
]
