"""What must be true of marts.platform_observation beyond its contract."""

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(
        min_value=590,
        severity="critical",
        notes="Nothing vanishes: a statistic that cannot be used stays with its reason; fewer rows are a broken join.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="period_end_on",
        column_B="period_start_on",
        or_equal=True,
        severity="critical",
        notes="A period that ends before it begins is a slip of the pen.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="value",
        min_value=0,
        max_value=1e12,
        severity="critical",
        notes="The largest statistic held is 200 billion views a day; a trillion is a lost unit.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="value",
        max_value=1,
        row_condition=Column("unit") == "fraction",
        severity="critical",
        notes="Rates are kept as fractions of one; more than one is a percentage that was not divided.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="is_used",
        value_set=[False],
        row_condition=Column("verification") == "UNVERIFIED",
        severity="critical",
        notes="An unverified fact is shown and enters no estimate.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="platform_id",
        value_set=["tiktok", "youtube", "kuaishou", "douyin", "bilibili"],
        severity="critical",
        notes="The platforms the question is about; one missing is a broken join, not news.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="tier",
        min_value=1,
        max_value=4,
        severity="critical",
        notes="The noise of the volume model is looked up by tier; there are four.",
    ),
]
