"""What must be true of marts.company_platform beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="owned_part",
        value_set=["whole", "without_us", "us_only"],
        severity="critical",
        notes="The sale of the United States part of one platform is a dated change of ownership; all three words occur.",
    ),
]
