"""Simulation-based calibration: among draws of its posterior the truth has every rank equally often.

Talts and others (2018), https://arxiv.org/abs/1804.06788. A truth and its statistics come from the prior, so that the rank of the
truth among draws is uniform if and only if the draws are the posterior. One platform of each simulated data set is looked at, so that
the ranks are independent.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import chisquare, kstest

from moat.uncertainty.quantiles import Split
from moat.volume.conditioning import Model
from moat.volume.draws import Draws
from moat.volume.hyperparameters import Fit
from moat.volume.observations import read_priors
from moat.volume.simulation import QUANTITIES, simulate
from moat.volume.totals import volumes
from moat.volume.uploads import build_loss

pytestmark = pytest.mark.slow

FIRST, N_DATA_SETS, N_PLATFORMS, N_DRAWS = 5_000, 300, 3, 99
BINS = 10


def priors() -> dict[str, Split]:
    """The assumptions, with every size known: its multiplier is 1, in the truth and in the fit."""
    table = pl.read_csv(Path(__file__).parents[3] / "data" / "reference" / "assumptions.csv", glob=False).rename(
        {"name": "assumption_name"}
    )
    return {
        name: split._replace(p05=split.p50 * (1 - 1e-9), p95=split.p50 * (1 + 1e-9)) if name.startswith("obs_") or "drift" in name else split
        for name, split in read_priors(table).items()
    }  # fmt: skip


def ranks(seed: int) -> list[int]:
    """The rank of the truth of one platform among the draws of its posterior, for each quantity."""
    known = priors()
    data, loss = simulate(known, seed, N_PLATFORMS), build_loss(known)
    solution = Model(data.series, data.rows, loss).solve(np.zeros(0))
    draws = Draws(Fit(solution.model, solution, [solution], np.ones(1), solution.evidence), seed=seed, n_draws=N_DRAWS)
    chosen = sorted(data.platforms)[seed % N_PLATFORMS]
    found = volumes(dict(draws)[chosen], data.platforms[chosen], loss)[chosen]
    logs = np.log([found.uploads_per_day[-1], found.upload_hours_per_day[-1], found.stock_hours[-1]])
    return [int((of < truth).sum()) for of, truth in zip(logs, data.truth[chosen], strict=True)]


@pytest.fixture(scope="module")
def shares() -> np.ndarray:
    """Ranks as shares of the draws, shape (data sets, quantities)."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = np.array(list(pool.map(ranks, range(FIRST, FIRST + N_DATA_SETS), chunksize=10)))
    return (found + 0.5) / (N_DRAWS + 1)


@pytest.mark.parametrize("quantity", range(len(QUANTITIES)), ids=QUANTITIES)
def test_the_truth_has_every_rank_among_the_draws_equally_often(
    shares: np.ndarray, quantity: int, record_property: Callable[[str, object], None]
) -> None:
    of = shares[:, quantity]
    counts = np.histogram(of, BINS, (0, 1))[0]
    chances = float(chisquare(counts).pvalue), float(kstest(of, "uniform").pvalue)
    record_property("measured", f"{counts.tolist()}, p {chances[0]:.2f} and {chances[1]:.2f}")
    assert min(chances) > 0.05 / (2 * len(QUANTITIES))  # as one test of all quantities at 5 % (Bonferroni)
