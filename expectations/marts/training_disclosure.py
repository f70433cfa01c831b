"""What must be true of marts.training_disclosure beyond its contract."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(
        min_value=155,
        severity="critical",
        notes="Reports that give no number are rows too; fewer rows mean that some were dropped.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="value",
        min_value=100,
        max_value=1e9,
        row_condition=Column("quantity") == "hours",
        severity="critical",
        notes="The smallest set named has thousands of hours, the largest 35 million; outside, clips or seconds were taken for hours.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="value",
        min_value=1e21,
        max_value=1e27,
        row_condition=Column("quantity") == "training_flop",
        severity="critical",
        notes="No video model is known outside; an exponent was lost.",
    ),
    gxe.ExpectColumnValuesToBeNull(
        column="value",
        row_condition=Column("quantity") == "none_disclosed",
        severity="critical",
        notes="A report that gives no number has none here either.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="value_high",
        column_B="value_low",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A range whose ends cross is not a range.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="model_id",
        value_set=["seaweed-7b", "kling-3-0-pro", "seedance-2-0", "veo-3", "cosmos-predict2-5"],
        severity="critical",
        notes="The flagships that disclose nothing and the largest that does; one missing is a broken join.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="bound",
        value_set=["at_least", "none"],
        row_condition=Column("model_kind") == "general_purpose",
        severity="warning",
        notes="Filings are bands whose top is open; a point value here was read too narrowly.",
    ),
]
