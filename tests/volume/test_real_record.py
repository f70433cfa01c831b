"""The fit of the real record: what one statistic moves, and what doubling does."""

import csv
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from datamoat.build.run import build_models
from datamoat.project.read import read_project
from datamoat.scenarios.rebuild import leading_to
from datamoat.settings import Settings
from datamoat.storage.lake import path_of

TABLE = "intermediate.int_platform__volume_quantiles"
DROPPED, PLATFORM = "F0464", "bilibili"
MONTH = date(2026, 5, 1)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fitted(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Quantiles of all scenarios with every statistic, and without one."""
    found = {}
    for name, dropped in (("whole", []), ("without", [DROPPED])):
        root = tmp_path_factory.mktemp(name)
        shutil.copytree(checkout / "transforms", root / "transforms")
        shutil.copytree(checkout / "data" / "reference", root / "data" / "reference")
        with (root / "data" / "reference" / "observation_rulings.csv").open("a", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows([fact, "drop", "To see what it moves."] for fact in dropped)
        project = leading_to(read_project(root), TABLE)
        project = replace(project, build={**project.build, "n_draws": 1_000, "n_scenario_draws": 500})
        settings = Settings(content=root, data=root / "out", threads=1)
        build_models(settings, project)
        found[name] = pl.read_parquet(path_of(settings.lake, TABLE))
    return found


def width(quantity: str) -> pl.Expr:
    return (pl.col(f"{quantity}_p95") / pl.col(f"{quantity}_p05")).log()


def test_e05_doubling_every_uncertainty_widens_every_interval(fitted: dict[str, pl.DataFrame]) -> None:
    last = fitted["whole"].filter(pl.col("month") == MONTH)
    for quantity in ("uploads_per_day", "upload_hours_per_day", "stock_hours"):
        wide, base = (
            last.filter(pl.col("scenario_id") == scenario).sort("platform_id").select("platform_id", w=width(quantity))
            for scenario in ("wide", "baseline")
        )
        assert wide["platform_id"].to_list() == base["platform_id"].to_list()
        assert (wide["w"] > 1.2 * base["w"]).all()


def test_one_figure_less_moves_its_platform_and_hardly_the_others(fitted: dict[str, pl.DataFrame]) -> None:
    def last(name: str) -> pl.DataFrame:
        chosen = (pl.col("month") == MONTH) & (pl.col("scenario_id") == "baseline")
        return fitted[name].filter(chosen).sort("platform_id").select(
            "platform_id", w=width("uploads_per_day"), middle=pl.col("uploads_per_day_p50").log()
        )  # fmt: skip

    both = last("whole").join(last("without"), on="platform_id", suffix="_without")
    mine, others = (both.filter((pl.col("platform_id") == PLATFORM) == is_mine) for is_mine in (True, False))
    assert (mine["w_without"] > 1.05 * mine["w"]).all()
    assert ((others["middle_without"] - others["middle"]).abs() < 0.1).all()
    assert ((others["w_without"] / others["w"] - 1).abs() < 0.05).all()


def test_every_quantile_is_positive_and_in_order(fitted: dict[str, pl.DataFrame]) -> None:
    for quantity in ("uploads_per_day", "mean_duration_seconds", "upload_hours_per_day", "stock_videos", "stock_hours"):
        low, middle, high = (fitted["whole"][f"{quantity}_{q}"] for q in ("p05", "p50", "p95"))
        assert (low > 0).all()
        assert ((low <= middle) & (middle <= high)).all()
        assert high.is_finite().all()
