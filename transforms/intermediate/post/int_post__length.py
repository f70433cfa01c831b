"""Mean length, share of photos and share of AI-labelled posts of each set by month: as they are, and weighted to the census.

The census is the set called `census`. A set's coverage of a bucket of views is taken from the hours that the census
covers; posts of other months are weighted by the same coverage.
"""

import numpy as np
import polars as pl

from moat.posts import Mean, weighted_mean

GRAIN = ("platform_id", "posted_month", "set_id")
CENSUS = "census"
MEANS = ("mean_seconds", "photo_share", "ai_labelled_share")
NULLABLE = (
    "licence",
    "mean_seconds_raw",
    "mean_seconds",
    "mean_seconds_p05",
    "mean_seconds_p95",
    "photo_share_raw",
    "photo_share",
    "photo_share_p05",
    "photo_share_p95",
    "ai_labelled_share_raw",
    "ai_labelled_share",
    "ai_labelled_share_p05",
    "ai_labelled_share_p95",
)


def model(stg_video_posts__lengths: pl.LazyFrame) -> pl.DataFrame:
    """Return one row per set and month."""
    posts = stg_video_posts__lengths.filter(pl.col("view_bucket") >= 0).collect()
    census = posts.filter(pl.col("set_id") == CENSUS, pl.col("census_cell") >= 0)
    cells = set(census["census_cell"].to_list())
    buckets = sorted(set(posts["view_bucket"].to_list()))
    rows = []
    for (set_id, month), frame in posts.group_by("set_id", "posted_month", maintain_order=True):
        in_census = posts.filter(pl.col("set_id") == set_id, pl.col("census_cell").is_in(cells))
        n_census, n_both = _by_bucket(census, "n_posts", buckets), _by_bucket(in_census, "n_posts", buckets)
        n = {
            name: _by_bucket(frame, name, buckets) for name in ("n_posts", "n_videos", "n_ai_labelled", "sum_ms", "sum_square_ds")
        }
        photos = n["n_posts"] - n["n_videos"]
        means = (
            weighted_mean(n_census, n_both, n["n_videos"], n["sum_ms"] / 1e3, n["sum_square_ds"] / 1e2),
            weighted_mean(n_census, n_both, n["n_posts"], photos, photos),
            weighted_mean(n_census, n_both, n["n_posts"], n["n_ai_labelled"], n["n_ai_labelled"]),
        )
        values = {f"{name}{end}": value for name, mean in zip(MEANS, means, strict=True) for end, value in _ends(mean)}
        about = {"platform_id": "tiktok", "posted_month": month, "set_id": set_id, "licence": frame["licence"].max()}
        rows.append({**about, "n_posts": int(n["n_posts"].sum()), **values})
    schema = {"platform_id": pl.String, "posted_month": pl.Date, "set_id": pl.String, "licence": pl.String, "n_posts": pl.Int64}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(NULLABLE[1:], pl.Float64), orient="row")


def _by_bucket(frame: pl.DataFrame, column: str, buckets: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the sums of a column in order of views."""
    sums = dict(frame.group_by("view_bucket").agg(pl.col(column).sum()).iter_rows())
    return np.array([float(sums.get(bucket, 0)) for bucket in buckets])


def _ends(mean: Mean) -> list[tuple[str, float | None]]:
    values = (("_raw", mean.raw), ("", mean.weighted), ("_p05", mean.low), ("_p95", mean.high))
    return [(name, value if np.isfinite(value) else None) for name, value in values]
