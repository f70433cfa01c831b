"""What the coverage of platforms that are left out can show: its distribution where the model is right."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from datamoat.build.record import read_build
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.lake import path_of
from moat.volume.conditioning import Model, Solution
from moat.volume.hyperparameters import fit, like, predict_others
from moat.volume.observations import build_rows, read_platforms, read_priors, read_statements
from moat.volume.uploads import build_loss, build_series, month_index, theta_sds

pytestmark = pytest.mark.slow

CLASSES = ("short", "long", "social")
Z50, Z90 = 0.6744897501960817, 1.6448536269514722
N_DRAWS = 4_000


def table(lake: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(path_of(lake, name))


def whole_record(lake: Path, as_of: date, seed: int) -> tuple[Model, np.ndarray, set[str], set[str]]:
    """All statistics with the hyperparameters of those that are used, the keys of the used ones, and of those of volume."""
    priors, last = read_priors(table(lake, "intermediate.int_volume__priors")), month_index(as_of)
    stated = table(lake, "intermediate.int_platform__observation_use").filter(pl.col("log_value").is_not_null())
    series = (
        table(lake, "staging.stg_reference__volume_series")
        .filter(pl.col("is_modelled") | pl.col("platform_id").is_in(stated["platform_id"].unique().to_list()))
        .join(table(lake, "staging.stg_reference__platforms"), on="platform_id")
        .filter(pl.coalesce("assumed_launch_on", "launched_on").is_not_null(), pl.col("class").is_in(CLASSES))
    )
    stated = stated.filter(pl.col("platform_id").is_in(series["platform_id"].to_list()))
    platforms, _ = read_platforms(series, table(lake, "staging.stg_reference__platform_events"), last)
    built = [build_series(platform, last, priors) for platform in platforms.values()]
    used, unused = (
        build_rows(platforms, last, read_statements(stated.filter(pl.col("is_used") == is_used))) for is_used in (True, False)
    )
    loss, sds = build_loss(priors), theta_sds(priors)
    best = fit(Model(built, used, loss, sds), seed=seed, freedom=priors["prior_observation_freedom"].p50, n_points=1).best
    every = Model(built, [*used, *unused], loss, sds)
    volumes = set(stated.filter(pl.col("noise_family") == "volume")["fact_id"])
    return every, like(every, best), {row.key for row in used}, volumes


def without(model: Model, theta: np.ndarray, known: np.ndarray) -> Solution:
    """Condition on some of the statistics."""
    had, weight = model.is_point, model.weight
    model.is_point, model.weight = had & known, np.where(known, weight, 1.0)
    solution = model.solve(theta)
    model.is_point, model.weight = had, weight
    return solution


def test_left_out_platforms_are_covered_as_often_as_a_right_model_would_cover_them(
    published: Settings, record_property: Callable[[str, object], None]
) -> None:
    seed = read_project(published.content).build["seed"]
    model, theta, used, volumes = whole_record(published.lake, read_build(published.lake).as_of, seed)
    rng = np.random.default_rng(1)
    found: list[tuple[float, float, float]] = []
    drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for key in model.series:
        hidden = np.array(
            [k for k, row in enumerate(model.rows) if row.series == key and row.key in volumes and model.is_point[k]]
        )
        if not len(hidden):
            continue
        known = np.array([row.key in used and not (row.series == key and row.key in volumes) for row in model.rows])
        solution = without(model, theta, known)
        mean = (solution.linear.mean + solution.covariance @ solution.alpha - model.offset_mean)[hidden]
        explained = solution.covariance[hidden] @ solution.precision @ solution.covariance[:, hidden]
        variance = solution.covariance[np.ix_(hidden, hidden)] - explained + np.diag((solution.noise + model.offset_var)[hidden])
        sd = np.sqrt(np.diag(variance))
        _, predicted = predict_others(
            model, {row.key for row, is_known in zip(model.rows, known, strict=True) if is_known}, theta
        )
        assert sd**2 == pytest.approx([predicted[model.rows[k].key] for k in hidden], rel=1e-8)  # as it is published
        z = (model.y[hidden] - mean) / sd
        simulated = np.linalg.cholesky(variance) @ rng.normal(size=(len(hidden), N_DRAWS)) / sd[:, None]
        found.append((float((abs(z) < Z50).mean()), float((abs(z) < Z90).mean()), float(z.mean())))
        drawn.append(((abs(simulated) < Z50).mean(axis=0), (abs(simulated) < Z90).mean(axis=0), simulated.mean(axis=0)))
    in_50, in_90, _ = np.mean(found, axis=0)
    null_50, null_90 = (np.mean([pair[i] for pair in drawn], axis=0) for i in (0, 1))
    rms, null_rms = float(np.sqrt(np.mean([z**2 for _, _, z in found]))), np.sqrt(np.mean([z**2 for _, _, z in drawn], axis=0))
    chances = {
        name: (float((null <= value + 1e-9).mean()), float((null >= value - 1e-9).mean()))
        for name, null, value in (("in 50", null_50, in_50), ("in 90", null_90, in_90), ("rms of mean error", null_rms, rms))
    }
    record_property(
        "measured", f"{len(found)} platforms: {in_50:.2f}, {in_90:.2f}, {rms:.2f}; chances of less and more {chances}"
    )
    assert len(found) >= 12  # platforms: the bar
    assert all(min(of) > 0.05 for of in chances.values()), chances
