"""What must be true of marts.model_score beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnMeanToBeBetween(
        column="cross_board_score",
        min_value=-40.0,
        max_value=40.0,
        severity="critical",
        notes="Scores are around 0 by construction; a mean far from it is a level that leaked in.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="cross_board_score_sd",
        min_value=1.0,
        max_value=100.0,
        severity="critical",
        notes="Never surer than a board's own noise, never less sure than the prior.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="between_board_sd",
        min_value=1.0,
        max_value=150.0,
        severity="warning",
        notes="Boards of one task have disagreed by tens of points; hundreds would be a wrong match.",
    ),
]
