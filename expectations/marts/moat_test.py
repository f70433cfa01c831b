"""What must be true of marts.moat_test beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["supported", "not_supported", "cannot_tell"],
        severity="critical",
        notes="There are three verdicts; claims have others.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="rho_measurement_only_p95",
        column_B="spearman",
        ignore_row_if="either_value_is_missing",
        or_equal=True,
        severity="critical",
        notes="The statistic is the mean of the draws whose 95th percentile this is.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="power_at_half",
        min_value=0.04,
        max_value=0.95,
        severity="critical",
        notes="No board has the companies for more; less than the size of the test is a wrong formula.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="board_role",
        value_set=["primary", "secondary", "control"],
        severity="critical",
        notes="Without control boards nothing tells video from size; without primary ones there is no verdict.",
    ),
    gxe.ExpectColumnValueLengthsToBeBetween(
        column="what_would_change_it",
        min_value=10,
        severity="critical",
        notes="A verdict nothing could change is not a finding.",
    ),
]
