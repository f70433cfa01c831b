"""How much of the census each set of posts holds, by views, with the exact interval of a share."""

import numpy as np
import polars as pl

from moat.posts import clopper_pearson

GRAIN = ("set_id", "view_bucket")
NULLABLE = ("licence",)
CENSUS = "census"
SCHEMA = {
    "set_id": pl.String,
    "licence": pl.String,
    "view_bucket": pl.Int64,
    "n_census": pl.Int64,
    "n_both": pl.Int64,
    "coverage": pl.Float64,
    "coverage_low": pl.Float64,
    "coverage_high": pl.Float64,
}


def model(stg_video_posts__lengths: pl.LazyFrame) -> pl.DataFrame:
    """Return one row per set and bucket of views that the census has."""
    posts = stg_video_posts__lengths.filter(pl.col("census_cell") >= 0, pl.col("view_bucket") >= 0).collect()
    census = posts.filter(pl.col("set_id") == CENSUS)
    if census.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    n_census = census.group_by("view_bucket").agg(pl.col("n_posts").sum().alias("n_census"))
    in_census = posts.filter(pl.col("set_id") != CENSUS, pl.col("census_cell").is_in(census["census_cell"].unique().to_list()))
    both = in_census.group_by("set_id", "view_bucket").agg(pl.col("n_posts").sum().alias("n_both"))
    found = (
        posts.filter(pl.col("set_id") != CENSUS)
        .group_by("set_id")
        .agg(pl.col("licence").max())
        .join(n_census, how="cross")
        .join(both, on=["set_id", "view_bucket"], how="left")
        .with_columns(pl.min_horizontal(pl.col("n_both").fill_null(0), "n_census").alias("n_both"))
        .sort("set_id", "view_bucket")
    )
    low, high = clopper_pearson(found["n_both"].to_numpy().astype(np.float64), found["n_census"].to_numpy().astype(np.float64))
    return found.with_columns(
        (pl.col("n_both") / pl.col("n_census")).alias("coverage"),
        pl.Series("coverage_low", low),
        pl.Series("coverage_high", high),
    ).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
