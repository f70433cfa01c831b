"""The entries behind each answer as the model sees them: the newest captures, those nearest to the story, the last of each quarter.

Size and revenue are the last public before release, or else the first after. Boards where video cannot help stand beside the
newest captures, with `board_role` control.
"""

from datetime import date

import polars as pl

GRAIN = ("as_of_kind", "as_of_on", "board_id", "entry_key")
NULLABLE = ("size_measure", "size_usd", "revenue_usd", "model_id", "size_citation_ids")
STORY = date(2026, 5, 14)  # the day of the press story whose claims are tested
COLUMNS = (
    "as_of_kind", "as_of_on", "board_id", "captured_on", "entry_key", "entry_name", "board_role", "company_id", "model_id", "panel_model",
    "rating", "rating_se", "first_rating", "first_rating_se", "released_on", "volume_month", "is_open_weights", "has_sound",
    "is_fast_tier", "is_high_resolution", "owns_platform", "size_measure", "size_usd", "is_size_later", "revenue_usd", "citation_ids",
    "size_citation_ids",
)  # fmt: skip


def model(
    int_moat__entry: pl.LazyFrame,
    int_moat__board: pl.LazyFrame,
    int_company__evidence: pl.LazyFrame,
    int_company__size: pl.LazyFrame,
    stg_reference__company_resources: pl.LazyFrame,
) -> pl.DataFrame:
    """Return the panel."""
    owned = int_company__evidence.filter(pl.col("scenario_id") == "baseline").select(
        "company_id", "owns_platform", volume_month="month"
    )
    entries = (
        int_moat__entry.join(int_moat__board.select("board_id", "board_role"), on="board_id")
        .filter(pl.col("board_role") != "secondary")
        .join(owned, on=["company_id", "volume_month"], how="left")
        .with_columns(
            panel_model=pl.concat_str("company_id", pl.coalesce("model_id", "entry_key"), separator="/"),
            owns_platform=pl.col("owns_platform").fill_null(value=False),
            has_sound=pl.col("has_audio").fill_null(value=False) & (pl.col("has_audio").n_unique().over("board_id") > 1),
        )
        .collect()
    )
    entries = with_value(entries, int_company__size.collect(), "value_usd").rename(
        {"value_usd": "size_usd", "is_later": "is_size_later"}
    )
    entries = with_value(entries, revenues(stg_reference__company_resources), "revenue_usd")
    measures = int_company__size.group_by("company_id").agg(
        pl.col("size_measure").first(), size_citation_ids=pl.col("citation_ids").list.explode().unique().sort()
    )
    entries = entries.join(measures.collect(), on="company_id", how="left")
    return choices(entries).select(COLUMNS).sort(GRAIN)


def revenues(resources: pl.LazyFrame) -> pl.DataFrame:
    """Return yearly revenue by company from the day on which it counts as public."""
    return (
        resources.filter(
            "is_usable", pl.col("quantity") == "revenue", pl.col("resource_scope") == "group", pl.col("value_usd") > 0,
            pl.col("verification") != "UNVERIFIED",
        )
        .group_by("company_id", public_on=pl.col("as_of_on").dt.offset_by("90d"))
        .agg(revenue_usd=pl.col("value_usd").max())
        .collect()
    )  # fmt: skip


def with_value(entries: pl.DataFrame, dated: pl.DataFrame, value: str) -> pl.DataFrame:
    """Add a dated value of the company as last public before release, or else the first after it, and whether it came later."""
    ordered = dated.sort("public_on", "company_id")
    firsts = ordered.group_by("company_id", maintain_order=True).agg(first=pl.col(value).first())
    joined = entries.sort("released_on", "board_id", "captured_on", "entry_key").join_asof(
        ordered.select("company_id", "public_on", value),
        left_on="released_on",
        right_on="public_on",
        by="company_id",
        check_sortedness=False,
    )
    return (
        joined.drop("public_on")
        .join(firsts, on="company_id", how="left")
        .with_columns(pl.coalesce(value, "first"), is_later=pl.col(value).is_null() & pl.col("first").is_not_null())
        .drop("first")
    )


def choices(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the entries of every choice of captures."""
    days = (
        entries.filter(pl.col("board_role") == "primary")
        .select("board_id", "captured_on")
        .unique()
        .sort("board_id", "captured_on")
    )
    controls = entries.filter(pl.col("board_role") == "control").select("board_id", "captured_on").unique()
    last, quarter = pl.col("captured_on").max(), pl.col("captured_on").dt.truncate("1q")
    newest = pl.concat([days, controls]).group_by("board_id").agg(last)
    far = (pl.col("captured_on") - STORY).dt.total_days().abs()
    story = (
        days.sort(far, "captured_on")
        .group_by("board_id", maintain_order=True)
        .first()
        .filter(days.select(pl.col("captured_on").max() >= STORY).item())
    )
    quarters = days.group_by("board_id", as_of_on=quarter).agg(last)
    wanted = pl.concat([
        newest.select("board_id", "captured_on", as_of_kind=pl.lit("newest"), as_of_on=days["captured_on"].max()),
        story.select("board_id", "captured_on", as_of_kind=pl.lit("story"), as_of_on=pl.lit(STORY)),
        quarters.select("board_id", "captured_on", as_of_kind=pl.lit("quarter"), as_of_on="as_of_on"),
    ])  # fmt: skip
    return entries.join(wanted, on=["board_id", "captured_on"])
