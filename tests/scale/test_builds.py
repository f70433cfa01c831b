"""From files that a person adds to the tables that are published: a build with counted parts, beside all other sources."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.scale.conftest import NOW
from tests.scale.publisher_days import aggregate_day, write_day

from datamoat.build.run import build_models
from datamoat.ingest.streamed import add_file
from datamoat.project.read import read_project
from datamoat.project.sources import Source
from datamoat.scenarios.rebuild import leading_to
from datamoat.settings import Settings
from datamoat.storage.lake import path_of

DAY = date(2025, 7, 1)
CENSUS_DAY, MAY = 1_712_707_200, 1_714_521_600  # 2024-04-10 and 2024-05-01, in seconds


def build(settings: Settings, target: str) -> pl.DataFrame:
    build_models(settings, leading_to(read_project(settings.content), target))
    return pl.read_parquet(path_of(settings.lake, target))


def posts_from(start: int, n_days: int, mean_log_views: float, n: int, path: Path, longer: float = 0.0) -> None:
    """Write posts whose length grows with their views."""
    random = np.random.default_rng(n + start)
    second = start + random.integers(0, n_days * 86_400, n)
    log_views = random.normal(mean_log_views, 2.2, n)
    pl.DataFrame(
        {
            "post_id": second * 2**32 + random.integers(0, 2**32, n),
            "posted_at": pl.Series(second * 1_000_000).cast(pl.Datetime("us")),
            "duration_s": np.exp(random.normal(2.9 + longer + 0.06 * log_views, 0.9)),
            "is_video": random.random(n) < 0.85,
            "n_views": np.floor(np.exp(log_views)).astype(np.int64),
            "is_ai_generated": random.random(n) < 0.03,
        }
    ).write_parquet(path)


def test_a_set_that_is_skewed_to_views_gets_the_length_of_all_posts(settings: Settings, posts: Source, tmp_path: Path) -> None:
    for label, start, n_days, views, n, longer in (
        ("census", CENSUS_DAY, 1, 4.0, 100_000, 0.0), ("made", CENSUS_DAY, 1, 5.0, 60_000, 0.0), ("made", MAY, 31, 5.0, 60_000, 0.2),
    ):  # fmt: skip
        path = tmp_path / f"{label}-{start}.parquet"
        posts_from(start, n_days, views, n, path, longer)
        add_file(settings, posts, str(path), NOW, label=label, licence="made for a test")
    rows = {(row["set_id"], row["posted_month"].month): row for row in build(settings, "marts.post_length").iter_rows(named=True)}
    for month, longer in ((4, 0.0), (5, 0.2)):
        truth = np.exp(2.9 + longer + 0.06 * 4 + (0.9**2 + (0.06 * 2.2) ** 2) / 2)
        row = rows["made", month]
        assert row["mean_seconds_raw"] > 1.04 * truth
        assert row["mean_seconds"] == pytest.approx(truth, rel=0.03)
        assert row["mean_seconds_p05"] < truth < row["mean_seconds_p95"]


def test_added_days_of_both_kinds_stand_beside_the_totals(
    settings: Settings, aggregates: Source, statements: Source, tmp_path: Path
) -> None:
    path = tmp_path / f"aggregates-{DAY}.csv"
    text, counts = aggregate_day(DAY, 300)
    path.write_text(text, encoding="utf-8")
    add_file(settings, aggregates, str(path), NOW)
    made = write_day(tmp_path, DAY, 2_000, rows_a_file=1_000)
    add_file(settings, statements, str(made.path), NOW)
    days = build(settings, "marts.moderation_day")
    found = dict(days.filter(received_on=DAY).group_by("moderation_basis").agg(pl.col("n_statements").sum()).iter_rows())
    assert (found["aggregate"], found["dump"]) == (sum(counts.values()), 2_000)
    assert "daily_total" in found
    tiktok = days.filter(received_on=DAY, platform_id="tiktok", moderation_basis="dump")["n_statements"].sum()
    assert tiktok == sum(times for cell, (times, _) in made.counts.items() if cell[0] == "TikTok")
