"""What must be true of marts.confounder beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    *(
        gxe.ExpectColumnValuesToBeBetween(
            column=name,
            min_value=-1.0,
            max_value=1.0,
            severity="critical",
            notes="A partial correlation beyond 1 was divided by the wrong length.",
        )
        for name in ("partial_date", "partial_date_open", "partial_all_controls")
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="design_rank_date_open",
        column_B="design_rank_date",
        or_equal=True,
        severity="critical",
        notes="One more control never takes fewer degrees of freedom.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="n_companies",
        column_B="n_all_controls",
        or_equal=True,
        severity="critical",
        notes="The last panel leaves companies out and adds none.",
    ),
    gxe.ExpectColumnMedianToBeBetween(
        column="date_with_rating",
        min_value=0.2,
        max_value=0.95,
        row_condition="is_headline",
        condition_parser="pandas",
        severity="warning",
        notes="Newer models rank higher on every board so far; if not, release days are wrong or the field has changed.",
    ),
]
