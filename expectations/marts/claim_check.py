"""What must be true of marts.claim_check beyond its contract."""

import great_expectations.expectations as gxe

CLAIMS = [
    "bytedance-kuaishou-ahead-of-google", "bytedance-kuaishou-ahead-of-openai", "bytedance-kuaishou-ahead-of-runway",
    "billions-of-users-a-day", "billions-of-videos-a-day", "china-ahead-of-us", "data-is-decisive",
    "data-outweighs-compute", "diversity-helps", "gap-widened", "kling-3-and-seedance-2-lead", "kling-3-leads",
    "others-must-chase", "platform-owners-have-the-edge", "seedance-100m-minutes", "seedance-2-leads",
    "short-video-is-what-counts", "tiktok-34m-a-day", "us-cannot-match-scale-in-hours", "us-lacks-platforms",
    "western-dominance-over", "western-models-train-on-small-curated-sets", "youtube-500-hours-a-minute",
]  # fmt: skip

EXPECTATIONS = [
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="claim_id",
        value_set=CLAIMS,
        severity="critical",
        notes="A claim that drops out of the ledger has been dropped, not answered.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["true", "false", "cannot_tell", "not_testable", "no_data"],
        severity="critical",
        notes="The ledger has five words.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="verdict",
        value_set=["not_testable"],
        row_condition="claim_id == 'diversity-helps'",
        condition_parser="pandas",
        severity="critical",
        notes="No public data decide it; any other word is made up.",
    ),
    gxe.ExpectColumnValueLengthsToBeBetween(
        column="evidence",
        min_value=5,
        severity="critical",
        notes="A verdict without its numbers cannot be checked.",
    ),
]
