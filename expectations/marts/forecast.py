"""What must be true of marts.forecast beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="forecast_p95",
        column_B="forecast_p05",
        severity="critical",
        notes="Quantiles rise.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="forecast_scale",
        min_value=5,
        max_value=300,
        severity="critical",
        notes="A forecast narrower than voting noise, or wider than a board, is wrong.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="leads_probability", min_value=0, max_value=1, severity="critical", notes="A probability."
    ),
    gxe.ExpectColumnMeanToBeBetween(
        column="pit",
        min_value=0.3,
        max_value=0.7,
        severity="warning",
        notes="Calibrated forecasts give half their probability to lower ratings.",
    ),
]
