"""What must be true of marts.company_resources beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="value_usd",
        min_value=0,
        max_value=2e12,
        severity="critical",
        notes="More than two trillion dollars is a unit that was misread.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="company_id",
        value_set=["alibaba", "bytedance", "google", "kuaishou", "meta", "openai", "tencent"],
        severity="critical",
        notes="Owners whose size is unknown would leave question size without its subject.",
    ),
]
