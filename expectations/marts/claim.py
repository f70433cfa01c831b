"""What must be true of marts.claim beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToMatchRegex(
        column="sql",
        regex=r"\b(?:marts|meta)\.[a-z_]+",
        severity="critical",
        notes="A claim is decided by a query of the published file, so that everybody can run it.",
    ),
]
