"""What must be true of marts.forecast_quantile beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="value", min_value=0, max_value=3000, severity="critical", notes="A rating on the scale of its board."
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="output_type_id",
        value_set=[0.05, 0.25, 0.5, 0.75, 0.95],
        severity="critical",
        notes="The quantiles of marts.forecast, and no others.",
    ),
]
