"""What must be true of marts.company_moat beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="usable_hours_p95",
        column_B="usable_hours_p05",
        severity="critical",
        notes="An interval whose ends cross is not an interval.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="available_hours_p50",
        column_B="usable_hours_p50",
        severity="critical",
        notes="Filters take away; usable above available is a lost yield.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="captured_on",
        column_B="best_released_on",
        or_equal=True,
        severity="critical",
        notes="A volume later than the board would let a company train on video that did not exist yet.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="company_id",
        value_set=["bytedance", "google", "kuaishou", "minimax", "openai", "runway"],
        severity="critical",
        notes="The question names these; one missing is a broken join, not news.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="company_rank",
        min_value=1,
        max_value=60,
        severity="critical",
        notes="No board has had more than 40 companies; more is a company split in two.",
    ),
    gxe.ExpectColumnMeanToBeBetween(
        column="n_unmatched_entries",
        min_value=0,
        max_value=12,
        severity="warning",
        notes="VBench and the text board list makers outside the register; on the others an unknown maker is work for a curator.",
    ),
]
