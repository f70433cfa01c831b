"""What must be true of marts.board_agreement beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="spearman",
        min_value=-1,
        max_value=1,
        severity="critical",
        notes="A correlation outside its range was computed on something else than ranks.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="kendall",
        min_value=-1,
        max_value=1,
        severity="critical",
        notes="A correlation outside its range was computed on something else than ranks.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="n_shared",
        column_B="n_confirmed",
        or_equal=True,
        severity="critical",
        notes="Confirmed matches are among the shared ones.",
    ),
    gxe.ExpectColumnMeanToBeBetween(
        column="spearman",
        min_value=0.3,
        max_value=1,
        severity="warning",
        notes="Boards of the same models agree at 0.6 to 1.0; a mean near zero means that models were matched at random.",
    ),
]
