"""What must be true of marts.leaderboard beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeBetween(
        column="rating",
        min_value=0,
        max_value=1800,
        severity="critical",
        notes="The lowest entry seen is at 617 on a fitted board and 67 on the automatic one, the highest at 1,528.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="rating_high",
        column_B="rating",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="An interval that does not hold its rating was read with its signs or its ends swapped.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="rating",
        column_B="rating_low",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="An interval that does not hold its rating was read with its signs or its ends swapped.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="n_votes",
        min_value=0,
        max_value=5_000_000,
        severity="critical",
        notes="No entry has had more than a few hundred thousand votes; above, a total was read as an entry's count.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="rank",
        min_value=1,
        max_value=1000,
        severity="critical",
        notes="The longest board lists 378 entries.",
    ),
    gxe.ExpectColumnValuesToNotMatchRegex(
        column="entry_name",
        regex=r"^\s|\s$",
        severity="warning",
        notes="A name with blanks at its ends was cut wrongly and will not match its alias.",
    ),
]
