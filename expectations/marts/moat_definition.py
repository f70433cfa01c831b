"""What must be true of marts.moat_definition beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="definition_id",
        value_set=["headline"],
        row_condition="is_headline",
        condition_parser="pandas",
        severity="critical",
        notes="The headline was fixed in advance; another one, or two, would be a choice made after looking.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="statistic",
        value_set=["auc", "kendall_tau_b", "mean_difference", "spearman"],
        severity="critical",
        notes="Decision 0010 names four ways to put the comparison into a number.",
    ),
    gxe.ExpectColumnValueLengthsToBeBetween(
        column="definition_reason",
        min_value=30,
        severity="critical",
        notes="A definition without a reason is a degree of freedom.",
    ),
]
