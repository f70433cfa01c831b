"""What must be true of marts.rating_change beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="cause",
        value_set=[
            "new_votes",
            "votes_removed",
            "recount",
            "refit",
            "entered",
            "left",
            "retired",
            "restored",
            "scale_change",
            "renamed",
        ],
        severity="critical",
        notes="The ten causes are promised; an eleventh would fall out of every count by cause.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="rating_change",
        min_value=-150,
        max_value=150,
        severity="warning",
        notes="Within a scale the largest move seen is 72 points; above 150 a new scale was missed or an id was re-used.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="captured_on",
        column_B="previous_on",
        severity="critical",
        notes="A change is counted from an earlier capture.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="gap_n_days",
        min_value=1,
        max_value=400,
        severity="warning",
        notes="A change over more than a year shows nothing about its cause.",
    ),
]
