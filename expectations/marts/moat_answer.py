"""What must be true of marts.moat_answer beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="n_primary_boards",
        min_value=1,
        max_value=4,
        severity="critical",
        notes="Decision 0010 names four primary boards; a fifth would be one chosen after looking.",
    ),
    gxe.ExpectMulticolumnSumToEqual(
        column_list=["n_supported", "n_not_supported", "n_cannot_tell"],
        sum_total=4,
        row_condition="n_primary_boards == 4",
        condition_parser="pandas",
        severity="critical",
        notes="Every board of a full quarter has exactly one verdict.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["supported", "not_supported", "cannot_tell"],
        severity="critical",
        notes="There are three verdicts; claims have others.",
    ),
]
