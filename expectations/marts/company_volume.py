"""What must be true of marts.company_volume beyond its contract."""

import great_expectations.expectations as gxe

QUANTITIES = (
    "first_party_videos_per_day",
    "first_party_hours_per_day",
    "first_party_stock_videos",
    "first_party_stock_hours",
    "first_party_short_videos_per_day",
    "first_party_short_hours_per_day",
    "first_party_short_stock_hours",
    "available_first_party_hours",
    "usable_first_party_hours",
    "available_licensed_hours",
    "available_public_hours",
    "available_hours",
    "usable_hours",
    "short_available_hours",
    "short_usable_hours",
)

EXPECTATIONS = [
    *(
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=f"{name}_{high}",
            column_B=f"{name}_{low}",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
            severity="critical",
            notes="An interval whose ends cross is not an interval.",
        )
        for name in QUANTITIES
        for low, high in (("p05", "p50"), ("p50", "p95"))
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="available_hours_p50",
        min_value=1e5,
        max_value=1e12,
        severity="critical",
        notes="Below: less than one person could gather. Above: more than all platforms hold.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="available_hours_p50",
        column_B="usable_hours_p50",
        severity="critical",
        notes="Filters only take away.",
    ),
    gxe.ExpectColumnDistinctValuesToContainSet(
        column="company_id",
        value_set=["alibaba", "bytedance", "google", "kuaishou", "meta", "openai", "runway", "tencent"],
        severity="critical",
        notes="The question is about these; one missing is a broken join, not news.",
    ),
]
