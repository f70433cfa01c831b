"""Sets of posts skewed to what is seen, against a census whose truth is known."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

from datamoat.project.read import read_model
from moat.posts import clopper_pearson, weighted_mean

EDGES = np.array([0, 1, 3, 10, 32, 100, 316, 1_000, 3_162, 10_000, 31_623, 100_000, 1_000_000])
N_CENSUS = 1_000_000


def covered(seed: int) -> tuple[bool, bool]:
    """Draw a census and a set skewed to views; return whether the weighted and the unweighted interval cover the truth."""
    random = np.random.default_rng(seed)
    log_views = random.normal(4, 2.2, N_CENSUS)
    views = np.floor(np.exp(log_views))
    seconds = np.exp(random.normal(2.6 + 0.06 * log_views, 0.9))
    chosen = random.random(N_CENSUS) < np.clip(0.004 * (1 + views) ** 0.35, 0, 1)
    group = np.searchsorted(EDGES, views, side="right") - 1

    def by_group(mask: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(group[mask], weights=None if weights is None else weights[mask], minlength=len(EDGES)).astype(
            np.float64
        )

    n = by_group(chosen)
    mean = weighted_mean(by_group(np.ones(N_CENSUS, bool)), n, n, by_group(chosen, seconds), by_group(chosen, seconds**2))
    truth, half = seconds.mean(), 1.645 * seconds[chosen].std() / np.sqrt(n.sum())
    return bool(mean.low <= truth <= mean.high), bool(abs(mean.raw - truth) <= half)


def test_the_weighted_interval_covers_and_the_unweighted_does_not() -> None:
    found = [covered(seed) for seed in range(20)]
    assert sum(weighted for weighted, _ in found) >= 18
    assert sum(raw for _, raw in found) == 0


@pytest.mark.slow
def test_in_a_hundred_simulated_sets_the_weighted_interval_covers_at_least_ninety_times() -> None:
    found = [covered(seed) for seed in range(100)]
    weighted, raw = sum(one for one, _ in found), sum(two for _, two in found)
    print(f"weighted {weighted} of 100, unweighted {raw} of 100")  # noqa: T201
    assert weighted >= 90
    assert raw < 10


def test_a_set_that_covers_every_group_alike_is_left_as_it_is() -> None:
    n = np.array([1_000.0, 2_000.0, 3_000.0])
    mean = weighted_mean(10 * n, n, n, n * np.array([10.0, 20.0, 30.0]), n * np.array([200.0, 500.0, 1_000.0]))
    assert mean.weighted == pytest.approx(mean.raw)
    assert mean.low < mean.weighted < mean.high


def test_groups_of_few_posts_are_joined_with_the_next_and_the_last_with_the_one_before() -> None:
    census, n = np.array([50.0, 100.0, 300.0, 40.0]), np.array([9.0, 1.0, 30.0, 9.0])
    total, square = n * np.array([10.0, 40.0, 20.0, 5.0]), n * np.array([150.0, 1_700.0, 500.0, 50.0])
    joined = [np.array([one[:2].sum(), one[2:].sum()]) for one in (census, n, n, total, square)]
    one, other = weighted_mean(census, n, n, total, square), weighted_mean(*joined)
    shares = joined[0] / joined[0].sum()
    assert one.weighted == pytest.approx(other.weighted)
    assert one.weighted == pytest.approx(float(shares @ (joined[3] / joined[1])))


@pytest.mark.parametrize(("n_first", "expected"), [(0.0, 35.0), (1.0, (1 * 10 + 100 * 40) / 101)])
def test_a_group_without_a_census_is_joined_and_one_with_a_single_post_of_it_is_not(n_first: float, expected: float) -> None:
    n = np.array([10.0, 50.0])
    mean = weighted_mean(np.array([n_first, 100.0]), n, n, n * np.array([10.0, 40.0]), n * np.array([150.0, 1_700.0]))
    assert mean.weighted == pytest.approx(expected)


def test_without_a_census_there_is_no_weighted_mean() -> None:
    n = np.array([100.0, 50.0])
    mean = weighted_mean(np.zeros(2), np.zeros(2), n, n * 12, n * 150)
    assert mean.raw == pytest.approx(12)
    assert np.isnan([mean.weighted, mean.low, mean.high]).all()


def test_the_interval_of_coverage_is_that_of_statsmodels() -> None:
    hits, tries = np.array([0.0, 3.0, 50.0, 80.0]), np.array([40.0, 40.0, 80.0, 80.0])
    theirs = proportion_confint(hits, tries, alpha=0.1, method="beta")
    ours = clopper_pearson(hits, tries)
    assert np.allclose(ours, [np.nan_to_num(theirs[0], nan=0.0), np.nan_to_num(theirs[1], nan=1.0)])


def lengths() -> pl.LazyFrame:
    """Return a census and a set: the set holds 1 % of unseen and half of seen posts; seen posts are twice as long."""
    rows = [
        ("census", 34, 10, 10_000, 10_000), ("census", 34, 10_000, 1_000, 1_000), ("made", 34, 10, 100, 100), ("made", 34, 10_000, 500, 500),
        ("made", -1, 10, 200, 100), ("made", -1, 10_000, 1_000, 1_000),
    ]  # fmt: skip
    return pl.LazyFrame(
        [
            {
                "set_id": set_id, "posted_month": date(2024, 4 if cell >= 0 else 5, 1), "census_cell": cell,
                "view_bucket": bucket, "licence": "made", "n_posts": n, "n_videos": videos, "n_ai_labelled": 0,
                "sum_ms": videos * (10_000 if bucket == 10 else 20_000), "sum_square_ds": videos * (12_000 if bucket == 10 else 42_000),
            }
            for set_id, cell, bucket, n, videos in rows
        ],
    )  # fmt: skip


def run(checkout: Path, name: str) -> pl.DataFrame:
    import importlib.util

    path = checkout / "transforms" / "intermediate" / "post" / f"{name}.py"
    assert read_model(path, checkout / "transforms").name == name
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    frame: pl.DataFrame = module.model(lengths())
    return frame


def test_a_month_is_weighted_by_the_coverage_of_the_census(checkout: Path) -> None:
    rows = {(row["set_id"], row["posted_month"].month): row for row in run(checkout, "int_post__length").iter_rows(named=True)}
    truth = (10_000 * 10 + 1_000 * 20) / 11_000
    april, may = rows["made", 4], rows["made", 5]
    assert april["mean_seconds_raw"] == pytest.approx((100 * 10 + 500 * 20) / 600)
    assert april["mean_seconds"] == pytest.approx(truth)
    assert may["photo_share"] == pytest.approx(10_000 / (20_000 + 2_000))
    assert rows["census", 4]["mean_seconds"] == pytest.approx(truth)


def test_coverage_is_the_share_of_the_census_by_views(checkout: Path) -> None:
    frame = run(checkout, "int_post__coverage")
    assert frame.select("view_bucket", "n_census", "n_both", "coverage").rows() == [
        (10, 10_000, 100, 0.01),
        (10_000, 1_000, 500, 0.5),
    ]
    assert (frame["coverage_low"] < frame["coverage"]).all()
    assert (frame["coverage_high"] > frame["coverage"]).all()


def test_without_a_set_both_tables_are_empty(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = lengths().filter(pl.lit(value=False))
    monkeypatch.setattr(f"{__name__}.lengths", lambda: empty)
    assert run(checkout, "int_post__length").height == run(checkout, "int_post__coverage").height == 0


def test_a_weighted_mean_and_its_interval_are_those_of_the_formula_by_hand() -> None:
    # Two groups of twenty posts in the census, of which ten and twenty are in the set; quantities 1 and 3 a post, with variance 1.
    census, both, n = np.array([20.0, 20.0]), np.array([10.0, 20.0]), np.array([10.0, 20.0])
    total, square = np.array([10.0, 60.0]), np.array([20.0, 200.0])
    found = weighted_mean(census, both, n, total, square)
    assert (found.raw, found.weighted) == (pytest.approx(70 / 30), pytest.approx(2.0))
    variance = 0.25 * (1 / 9 + 1 / 19) + 0.25 * ((1 / 10 + 1 / 20) + (1 / 20 + 1 / 20))
    half = 1.6448536269514722 * np.sqrt(variance)
    joined = 1.6448536269514722 * np.sqrt((220 / 30 - (70 / 30) ** 2) / 29)  # both groups as one, weighted alike
    assert found.low == pytest.approx(min(2 - half, 70 / 30 - joined))
    assert found.high == pytest.approx(max(2 + half, 70 / 30 + joined))


def test_the_exact_interval_of_no_hit_and_of_all_hits_ends_at_the_limits() -> None:
    low, high = clopper_pearson(np.array([0.0, 10.0, 3.0, 0.0]), np.array([10.0, 10.0, 10.0, 0.0]))
    assert (low[0], high[1], low[3], high[3]) == (0.0, 1.0, 0.0, 1.0)
    assert high[0] == pytest.approx(1 - 0.05 ** (1 / 10))
    assert low[1] == pytest.approx(0.05 ** (1 / 10))
    assert 0 < low[2] < 0.3 < high[2] < 1
