"""The entries behind each answer as the model sees them: the newest captures, those nearest to the story, the last of each quarter.

Size and revenue are of the last year that ended 90 days before release, or of funding to that day, or else the first after. Boards where video cannot help stand beside the
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
    "is_fast_tier", "is_high_resolution", "owns_platform", "is_owner_contested", "size_measure", "size_usd", "is_size_later", "revenue_usd", "citation_ids",
    "size_citation_ids",
)  # fmt: skip


def model(
    int_moat__entry: pl.LazyFrame,
    int_moat__board: pl.LazyFrame,
    int_company__owner: pl.LazyFrame,
    int_company__size: pl.LazyFrame,
    stg_reference__company_resources: pl.LazyFrame,
) -> pl.DataFrame:
    """Return the panel."""
    owned = int_company__owner.rename({"month": "volume_month"})
    entries = (
        int_moat__entry.join(int_moat__board.select("board_id", "board_role"), on="board_id")
        .filter(pl.col("board_role") != "secondary")
        .join(owned, on=["company_id", "volume_month"], how="left")
        .with_columns(
            pl.col("owns_platform", "is_owner_contested").fill_null(value=False),
            panel_model=pl.concat_str("company_id", pl.coalesce("model_id", "entry_key"), separator="/"),
            has_sound=pl.col("has_audio").fill_null(value=False) & (pl.col("has_audio").n_unique().over("board_id") > 1),
        )
        .collect()
    )
    entries = with_value(entries, int_company__size.collect(), "value_usd", "published_on")
    entries = entries.with_columns(is_size_later=(pl.col("published_on") > pl.col("released_on")).fill_null(value=False))
    entries = with_value(entries.rename({"value_usd": "size_usd"}), revenues(stg_reference__company_resources), "revenue_usd")
    measures = int_company__size.group_by("company_id").agg(
        pl.col("size_measure").first(), size_citation_ids=pl.col("citation_ids").list.explode().unique().sort()
    )
    entries = entries.join(measures.collect(), on="company_id", how="left")
    return choices(entries).select(COLUMNS).sort(GRAIN)


def revenues(resources: pl.LazyFrame) -> pl.DataFrame:
    """Return yearly revenue by company, used from 90 days after the end of its year."""
    return (
        resources.filter(
            "is_usable", pl.col("quantity") == "revenue", pl.col("resource_scope") == "group", pl.col("value_usd") > 0,
            pl.col("verification") != "UNVERIFIED",
        )
        .group_by("company_id", counts_from_on=pl.col("as_of_on").dt.offset_by("90d"))
        .agg(revenue_usd=pl.col("value_usd").max())
        .collect()
    )  # fmt: skip


def with_value(entries: pl.DataFrame, dated: pl.DataFrame, *values: str) -> pl.DataFrame:
    """Add dated values of the company: the last that count at release, or else the first after it."""
    ordered = dated.sort("counts_from_on", "company_id").select("company_id", "counts_from_on", *values)
    firsts = ordered.unique("company_id", keep="first", maintain_order=True).select(
        "company_id", *(pl.col(value).alias(f"first_{value}") for value in values)
    )
    joined = entries.sort("released_on", "board_id", "captured_on", "entry_key").join_asof(
        ordered, left_on="released_on", right_on="counts_from_on", by="company_id", check_sortedness=False
    )
    return (
        joined.drop("counts_from_on")
        .join(firsts, on="company_id", how="left")
        .with_columns(pl.coalesce(value, f"first_{value}") for value in values)
        .drop(f"first_{value}" for value in values)
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
