"""What must be true of marts.moat_answer beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["supported", "not_supported", "cannot_tell"],
        severity="critical",
        notes="There are three verdicts; claims have others.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="estimate_p95",
        column_B="estimate_p05",
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="An interval whose ends cross is not an interval.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="p_permutation",
        column_B="min_possible_p",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A p below the smallest possible one was not counted over orders of companies.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="n_companies",
        column_B="n_owners",
        or_equal=True,
        severity="critical",
        notes="Owners are among the companies counted.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="question_number", min_value=1, max_value=6, severity="critical", notes="Decision 0060 asks six questions."
    ),
]
