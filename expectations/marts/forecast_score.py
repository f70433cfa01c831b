"""What must be true of marts.forecast_score beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="log_score",
        min_value=-9,
        max_value=-2,
        severity="critical",
        notes="A density of ratings spread over tens of points.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="crps", min_value=0, max_value=200, severity="critical", notes="A distance in points."
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="gain_over_date_p95",
        column_B="gain_over_date_p05",
        or_equal=True,
        severity="critical",
        notes="An interval whose ends cross is not an interval.",
    ),
]
