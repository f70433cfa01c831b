"""What must be true of marts.board_status beyond its contract."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectColumnValuesToBeInSet(
        column="status",
        value_set=["ok", "unchanged", "empty", "missing", "partial", "error"],
        severity="critical",
        notes="A state nobody knows would be read as a board by whoever filters for what is not a board.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="board_id",
        value_set=[
            "aa_text_to_video",
            "aa_image_to_video",
            "aa_text_to_video_audio",
            "arena_text_to_video",
            "arena_image_to_video",
            "arena_video_edit",
        ],
        severity="critical",
        notes="The question is about these boards; one missing is a broken join, not news.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="n_leaders",
        min_value=1,
        max_value=5,
        severity="warning",
        notes="Two entries do tie for first; more than a handful means that the ratings were lost.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="leader_rating",
        min_value=50,
        max_value=1800,
        severity="critical",
        notes="Fitted boards lead between 1,200 and 1,600 and the automatic one in percent; outside, a column was shifted.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="captured_on",
        column_B="board_published_on",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="critical",
        notes="A board cannot be read before it is published; such a row has its dates swapped.",
    ),
    gxe.ExpectColumnValueLengthsToEqual(
        column="content_sha256",
        value=64,
        severity="critical",
        notes="A hash of another length is no SHA-256, and unchanged days are recognised by it.",
    ),
]
