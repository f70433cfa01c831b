"""What must be true of marts.moat_association beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="p_permutation",
        column_B="min_possible_p",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A p below the smallest possible one counts permutations that do not exist.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="effect_p95",
        column_B="effect_p05",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="An interval whose ends cross is not an interval.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="value",
        min_value=-1.0,
        max_value=1.0,
        row_condition="statistic != 'mean_difference'",
        condition_parser="pandas",
        severity="critical",
        notes="Correlations and chances live there; beyond it a rank or a weight is wrong.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="value",
        min_value=-500.0,
        max_value=700.0,
        row_condition="statistic == 'mean_difference'",
        condition_parser="pandas",
        severity="critical",
        notes="The widest board spans about 600 points from first to last company.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="rating_reliability",
        min_value=0.9,
        max_value=1.0,
        row_condition="n_companies >= 8",
        condition_parser="pandas",
        severity="warning",
        notes="Voting noise is a few points and companies differ by hundreds; less means a lost interval or a young board.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="link_reason",
        value_set=["computed"],
        row_condition="is_headline and n_companies >= 8",
        condition_parser="pandas",
        severity="critical",
        notes="With eight companies the headline can always be computed; a reason instead of a number is a break.",
    ),
]
