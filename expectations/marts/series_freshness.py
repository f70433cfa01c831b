"""What must be true of marts.series_freshness beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="stale_since_on",
        column_B="newest_on",
        severity="critical",
        notes="Nothing is stale on the day of its newest data.",
    ),
    gxe.ExpectColumnDistinctValuesToEqualSet(
        column="series_kind",
        value_set=["board", "platform"],
        severity="critical",
        notes="Boards and platforms both have bounds.",
    ),
]
