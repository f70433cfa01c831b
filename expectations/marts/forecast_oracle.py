"""What must be true of marts.forecast_oracle beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="oracle_value", min_value=0, max_value=3000, severity="critical", notes="A rating on the scale of its board."
    ),
]
