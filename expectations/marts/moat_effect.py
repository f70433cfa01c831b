"""What must be true of marts.moat_effect beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="estimate_p95",
        column_B="estimate_p05",
        severity="critical",
        notes="An interval whose ends cross is not an interval.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="within_se",
        min_value=0,
        strict_min=True,
        severity="critical",
        notes="An estimate without a standard error was not fitted.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="monte_carlo_se",
        max_value=3,
        severity="warning",
        notes="More than three points of Monte Carlo error ask for more draws.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="company_sd",
        max_value=400,
        severity="critical",
        notes="Companies that differ by more than the whole scale are a fit that did not converge.",
    ),
]
