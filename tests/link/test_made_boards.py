"""The link on made boards: what it must not depend on, and what it says where there is nothing to test."""

import csv
import importlib.util
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

N_DRAWS = 60
MONTH = date(2026, 1, 1)
SETTINGS = {"seed": 1, "n_draws": N_DRAWS}


@pytest.fixture(scope="module")
def link(checkout: Path) -> ModuleType:
    path = checkout / "transforms" / "intermediate" / "moat" / "int_moat__association.py"
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(checkout: Path) -> Callable[[str], pl.DataFrame]:
    def read(name: str) -> pl.DataFrame:
        with (checkout / "data" / "reference" / f"{name}.csv").open(encoding="utf-8") as handle:
            return pl.DataFrame(list(csv.DictReader(handle)))

    return read


def board(ratings: list[float], names: list[str] | None = None, board_id: str = "b") -> pl.DataFrame:
    n = len(ratings)
    names = names or [f"company-{i:02d}" for i in range(n)]
    rows = [
        {
            "board_id": board_id, "captured_on": date(2026, 3, 1), "company_id": names[i], "representative": way,
            "entry_key": f"key-{i:02d}", "entry_name": f"entry {i}", "model_id": None, "scale_id": "s", "rating": ratings[i],
            "rating_low": ratings[i] - 8, "rating_high": ratings[i] + 8, "rating_se": 4.0, "rank": i + 1, "company_rank": i + 1,
            "n_entries": 1, "n_ranked": n, "n_unmatched_entries": 0, "released_on": date(2025, 1 + i % 12, 1),
            "dated_by": "register", "volume_month": MONTH, "is_open_weights": i % 3 == 0, "has_audio": False,
            "resolution_lines": 720 + 360 * (i % 2), "citation_ids": ["C1"],
        }
        for way in ("best", "best_of_last_12_months", "mean")
        for i in range(n)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def volumes(logs: np.ndarray, owners: np.ndarray, names: list[str] | None = None) -> pl.DataFrame:
    """Draws around logarithms of volume; owners have first-party figures, of short video the first half of them."""
    n = len(logs)
    names = names or [f"company-{i:02d}" for i in range(n)]
    short = owners & (np.cumsum(owners) <= max(1, owners.sum() // 2))
    frames = []
    for i in range(n):
        hours = np.exp(logs[i] + 0.3 * np.random.default_rng([7, i]).standard_normal(N_DRAWS))
        own, own_short = (hours if owners[i] else [None] * N_DRAWS), (hours if short[i] else [None] * N_DRAWS)
        frames.append(
            pl.DataFrame(
                {
                    "company_id": [names[i]] * N_DRAWS, "month": [MONTH] * N_DRAWS, "draw": list(range(1, N_DRAWS + 1)),
                    "first_party_stock_hours": own, "first_party_stock_videos": own, "first_party_hours_per_day": own,
                    "first_party_videos_per_day": own, "first_party_short_hours_per_day": own_short,
                    "first_party_short_stock_hours": own_short, "available_first_party_hours": own,
                    "available_licensed_hours": [0.0] * N_DRAWS, "available_hours": hours, "usable_hours": hours / 10,
                    "short_usable_hours": hours / 20,
                },
                schema_overrides=dict.fromkeys(
                    ("first_party_stock_hours", "first_party_stock_videos", "first_party_hours_per_day",
                     "first_party_videos_per_day", "first_party_short_hours_per_day", "first_party_short_stock_hours",
                     "available_first_party_hours"),
                    pl.Float64,
                ),
            )
        )  # fmt: skip
    return pl.concat(frames)


@pytest.fixture(scope="module")
def look(link: ModuleType, reference: Callable[[str], pl.DataFrame]) -> Callable[..., dict[str, pl.DataFrame]]:
    definitions = reference("moat_definitions").rename({"volume_measure": "measure"})
    definitions = definitions.with_columns(pl.col("is_headline") == "true")
    thresholds = reference("moat_thresholds").select("threshold_id", threshold_value=pl.col("value").cast(pl.Float64))
    assumptions = reference("assumptions").with_columns(pl.col("p05", "p50", "p95").cast(pl.Float64))
    returning = board([1.0]).clear().rename({"rank": "missing_from"}).with_columns(
        pl.lit(None, pl.Date).alias("missing_from"), pl.lit(None, pl.Boolean).alias("is_company_best")
    )  # fmt: skip

    def run(contenders: pl.DataFrame, draws: pl.DataFrame, owners: np.ndarray) -> dict[str, pl.DataFrame]:
        names = draws["company_id"].unique(maintain_order=True).to_list()
        evidence = pl.DataFrame(
            [
                {"company_id": name, "month": MONTH, "scenario_id": scenario, "has_platform": bool(owner)}
                for name, owner in zip(names, owners, strict=True)
                for scenario in ("baseline", "no_prior_only_platforms")
            ]
        )
        medians = draws.group_by("company_id", "month").agg(pl.exclude("draw").median().name.suffix("_p50"))
        medians = medians.with_columns(scenario_id=pl.lit("baseline"))
        found: dict[str, pl.DataFrame] = link.model(
            contenders.lazy(), draws.lazy(), medians.lazy(), evidence.lazy(), returning.lazy(), definitions.lazy(), thresholds.lazy(),
            assumptions.lazy(), SETTINGS,
        )  # fmt: skip
        return found

    return run


RATINGS = [1300.0 - 20 * i + 7 * (i % 3) for i in range(14)]
OWNERS = np.arange(14) % 3 == 0
LOGS = np.where(OWNERS, 20.0, 15.0) - 0.1 * np.arange(14)


def plain(frame: pl.DataFrame, *leave_out: str) -> list[dict[str, Any]]:
    lists = [name for name, kind in frame.schema.items() if kind == pl.List]
    return (frame.explode(lists) if lists else frame).drop("board_id", *leave_out).sort(pl.all()).to_dicts()


def test_a_constant_added_to_all_ratings_changes_nothing(look: Callable[..., dict[str, pl.DataFrame]]) -> None:
    one = look(board(RATINGS), volumes(LOGS, OWNERS), OWNERS)
    other = look(board([rating + 5_000 for rating in RATINGS]), volumes(LOGS, OWNERS), OWNERS)
    for name in ("int_moat__association", "int_moat__confounder", "int_moat__test"):
        for left, right in zip(plain(one[name]), plain(other[name]), strict=True):
            assert left == pytest.approx(right, abs=1e-9, nan_ok=True)


def test_other_names_for_all_companies_change_nothing_but_the_names(look: Callable[..., dict[str, pl.DataFrame]]) -> None:
    names = [f"firm-{i:02d}" for i in reversed(range(14))]
    one = look(board(RATINGS), volumes(LOGS, OWNERS), OWNERS)
    other = look(board(RATINGS, names), volumes(LOGS, OWNERS, names), OWNERS)
    named = {
        "int_moat__association": ["leave_one_out_driver", "company_ids"],
        "int_moat__confounder": [],
        "int_moat__test": ["worst_without_company_id"],
    }
    for name, columns in named.items():
        for left, right in zip(plain(one[name], *columns), plain(other[name], *columns), strict=True):
            assert left == pytest.approx(right, abs=1e-12, nan_ok=True)


def test_shuffled_volumes_give_uniform_p(look: Callable[..., dict[str, pl.DataFrame]]) -> None:
    rng = np.random.default_rng(3)
    boards, draws, owners = [], [], []
    for world in range(60):
        names = [f"w{world:02d}-{i:02d}" for i in range(10)]
        boards.append(board([1300.0 - 20 * i for i in range(10)], names, f"board-{world:02d}"))
        draws.append(volumes(rng.permutation(np.linspace(14.0, 20.0, 10)), np.arange(10) < 4, names))
        owners.append(np.arange(10) < 4)
    tested = look(pl.concat(boards), pl.concat(draws), np.concatenate(owners))["int_moat__test"]
    assert stats.kstest(tested["p_permutation"].to_numpy(), "uniform").pvalue > 0.01
    assert (tested["verdict"] == "supported").sum() <= 6


def test_the_group_difference_is_exact_although_ratings_are_drawn(look: Callable[..., dict[str, pl.DataFrame]]) -> None:
    found = look(board(RATINGS), volumes(LOGS, OWNERS), OWNERS)["int_moat__association"]
    row = found.filter(pl.col("definition_id") == "has-platform-difference").row(0, named=True)
    ratings = np.array(RATINGS)
    assert row["value"] == pytest.approx(ratings[OWNERS].mean() - ratings[~OWNERS].mean(), abs=1e-9)
    assert row["value_at_medians"] == pytest.approx(row["value"], abs=1e-9)


@pytest.mark.parametrize(
    ("ratings", "owners", "reason"),
    [
        ([1300.0], [True], "too_few_companies"),
        ([1300.0, 1200.0], [True, False], "too_few_companies"),
        ([1000.0] * 9, [True] * 4 + [False] * 5, "ratings_tied"),
        ([1300.0 - i for i in range(9)], [False] * 9, "too_few_platform_owners"),
        ([1300.0 - i for i in range(9)], [True] + [False] * 8, "too_few_platform_owners"),
    ],
)
def test_e12_a_board_with_nothing_to_test_cannot_tell_and_says_why(
    look: Callable[..., dict[str, pl.DataFrame]], ratings: list[float], owners: list[bool], reason: str
) -> None:
    flags = np.array(owners)
    found = look(board(ratings), volumes(np.linspace(20, 14, len(ratings)), flags), flags)
    row = found["int_moat__test"].row(0, named=True)
    assert (row["verdict"], row["verdict_reason"]) == ("cannot_tell", reason)
    assert found["int_moat__association"].height == found["int_moat__confounder"].height == 23


def test_equal_volumes_in_every_draw_cannot_tell(look: Callable[..., dict[str, pl.DataFrame]]) -> None:
    one = volumes(np.array([15.0]), np.array([True]), ["company-00"])
    same = pl.concat([one.with_columns(company_id=pl.lit(f"company-{i:02d}")) for i in range(9)])
    row = look(board([1300.0 - i for i in range(9)]), same, np.ones(9, dtype=bool))["int_moat__test"].row(0, named=True)
    assert (row["verdict"], row["verdict_reason"]) == ("cannot_tell", "volumes_tied")


def test_owners_that_lead_by_volume_are_seen(look: Callable[..., dict[str, pl.DataFrame]]) -> None:
    order = np.linspace(22.0, 14.0, 24)
    flags = np.arange(24) < 6
    row = look(board([1300.0 - 10 * i for i in range(24)]), volumes(order, flags), flags)["int_moat__test"].row(0, named=True)
    assert row["spearman"] > 0.9
    assert row["verdict"] == "supported"
