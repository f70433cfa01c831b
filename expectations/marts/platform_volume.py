"""What must be true of marts.platform_volume beyond its contract."""

import great_expectations.expectations as gxe

QUANTITIES = (
    "uploads_per_day",
    "mean_duration_seconds",
    "upload_hours_per_day",
    "stock_videos",
    "stock_hours",
    "usable_hours",
)

EXPECTATIONS = [
    *(
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=f"{name}_{high}",
            column_B=f"{name}_{low}",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            severity="critical",
            notes="An interval whose ends cross is not an interval.",
        )
        for name in QUANTITIES
        for low, high in (("p05", "p50"), ("p50", "p95"))
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="uploads_per_day_p95",
        min_value=0,
        max_value=8.3e10,
        severity="critical",
        notes="Ten videos a day from everybody alive; above it a unit was lost.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="mean_duration_seconds_p50",
        min_value=1,
        max_value=43_200,
        severity="critical",
        notes="No upload is longer than twelve hours on the largest host, and no mean is below a second.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="stock_hours_p95",
        min_value=0,
        max_value=8.76e12,
        severity="warning",
        notes="A thousand hours of video for everybody alive; a prior-only platform may come near it, a measured one not.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="basis",
        value_set=["measured", "reported", "modelled", "prior_only"],
        severity="critical",
        notes="All four kinds of evidence occur; if one is gone, the rule that separates them is broken.",
    ),
    gxe.ExpectColumnDistinctValuesToEqualSet(
        column="scenario_id",
        value_set=["baseline", "official_only", "with_prior_only_platforms", "wide"],
        severity="critical",
        notes="A reader compares scenarios; one missing is a broken join.",
    ),
]
