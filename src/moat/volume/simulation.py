"""Simulated data sets with a known truth, to see how often the intervals of a fit cover it.

The priors come from the table of assumptions, as for the real fit.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats, generator
from moat.volume.conditioning import Model
from moat.volume.draws import Draws
from moat.volume.hyperparameters import fit
from moat.volume.processes import Row, Series, evaluate, matern_root
from moat.volume.totals import volumes
from moat.volume.uploads import (
    RATE,
    USERS,
    Event,
    Platform,
    build_loss,
    build_series,
    month_start,
    parts_of,
    theta_sds,
)

KINDS = ("well_specified", "sparse", "heavy_tails", "biased_sources", "undeclared_breaks", "declared_breaks")
Priors: TypeAlias = Mapping[str, Split]
QUANTITIES = ("uploads_per_day", "upload_hours_per_day", "stock_hours")
SILENT, BOUNDS, OUTLIERS = (
    0.25,
    0.2,
    0.08,
)  # shares: of platforms without volumes, of lower bounds, of statistics four times too noisy
N_BASE = 200  # base normals that may be shared


class DataSet(NamedTuple):
    """A truth and what was published about it.

    Attributes:
        seed: What it was simulated from.
        series: The prior a fit is given.
        platforms: The same, before it was built.
        rows: The published statistics.
        truth: Log uploads, hours a day and cumulative public hours at the last month, by platform, shape (3,).
    """

    seed: int
    series: list[Series]
    platforms: dict[str, Platform]
    rows: list[Row]
    truth: dict[str, Floats]


def simulate(priors: Priors, seed: int, n_platforms: int = 25, n_months: int = 120, kind: str = "well_specified") -> DataSet:
    """Draw a truth from the prior, hyperparameters included, and publish about ten statistics per platform.

    A quarter of the platforms publishes no volume at all; one in six holds a second class of length from the middle of its months on,
    and publishes totals of both. Kinds: sparse has two user counts and one upload count per platform;
    heavy_tails has Student-t(3) noise and 8% of statistics four times too noisy; biased_sources doubles every bias; breaks adds two
    jumps per platform, declared to the fit or not.
    """
    rng = generator(seed, "data set")
    last = n_months - 25  # the grid starts before the epoch of the trends
    classes = ("short", "long", "social")
    scale = {name: float(np.exp(sd * rng.normal())) for name, sd in theta_sds(priors).items()}
    shared = rng.normal(size=N_BASE)
    names: dict[str, int] = {}
    platforms, series, rows, truth = {}, [], [], {}
    for i in range(n_platforms):
        launched = last - int(rng.integers(36, n_months))
        breaks = tuple(Event(f"{i}:{j}", (USERS, RATE)[j], int(rng.integers(launched + 6, last - 3)), 0.5, 0.5) for j in range(2))
        second = (Platform(f"p{i:02}-short", "short", (launched + last) // 2),) if i % 6 == 1 else ()
        actual = Platform(f"p{i:02}", classes[i % 3], launched, None, breaks if kind.endswith("breaks") else (), second)
        platform = actual if kind != "undeclared_breaks" else actual._replace(events=())
        built = build_series(actual, last, priors)
        z = built.mean.copy()
        for process in built.processes:
            span = built.spans[process.name]
            for name, loading in process.shared.items():
                z[span] += loading * shared[names.setdefault(name, len(names))]
            for loading in process.own.values():
                z[span] += loading * rng.normal()
            if process.gp_sd:
                sd, length = process.gp_sd * scale[process.gp_names[0]], process.gp_length * scale[process.gp_names[1]]
                z[span] += sd * (matern_root(len(process.mean), length) @ rng.normal(size=len(process.mean)))
        platforms[platform.key] = platform
        series.append(build_series(platform, last, priors))
        states = {name: z[span][:, None] for name, span in built.spans.items()}
        found = volumes(states, actual, build_loss(priors))[actual.key]
        truth[platform.key] = np.log([found.uploads_per_day[-1, 0], found.upload_hours_per_day[-1, 0], found.stock_hours[-1, 0]])
        rows += _published(rng, priors, scale, (actual, built, z, last), kind, has_volumes=rng.random() > SILENT)
    return DataSet(seed, series, platforms, rows, truth)


def _published(
    rng: np.random.Generator, priors: Priors, scale: Mapping[str, float], of: tuple[Platform, Series, Floats, int], kind: str, *,
    has_volumes: bool,
) -> list[Row]:  # fmt: skip
    """Return the statistics that are published about one platform: `of` is it, its prior, its true state and the last month."""
    platform, series, z, last = of
    kinds = ["users_monthly"] * 5 + ["users_daily"] * 2
    if kind == "sparse":
        kinds = ["users_monthly"] * 2 + ["uploads_per_day"] * has_volumes
    elif has_volumes:
        kinds += ["uploads_per_day"] * 4 + ["duration_new", "videos_public"]
    overshoot = priors["overshoot_at_least"].p50
    biases: dict[str, float] = {}
    rows = []
    for j, what in enumerate(kinds):
        family = "users" if what.startswith("users") else "volume"
        tier = int(rng.integers(1, 5))
        month = int(rng.integers(platform.launched + 3, last + 1))
        parts = parts_of(what, platform, last, (month_start(month), month_start(month)))
        if parts is None:
            continue
        noise_name, bias_name = f"obs_sd_{family}_t{tier}", f"obs_bias_{family}_t{tier}"
        sd, bias_sd = priors[noise_name].p50, priors[bias_name].p50
        source = f"{platform.key}:{family}:{tier}"
        bias = biases.setdefault(source, (2.0 if kind == "biased_sources" else 1.0) * rng.normal()) * bias_sd * scale[bias_name]
        noise = rng.normal()
        if kind == "heavy_tails":
            noise = rng.standard_t(3) * (4.0 if rng.random() < OUTLIERS else 1.0)
        row = Row(
            f"{platform.key}:{j:02}", platform.key, 0.0, parts, source, sd, bias_sd, noise_name=noise_name, bias_name=bias_name
        )
        value, _ = evaluate(series, row, z, build_loss(priors))
        passed = abs(rng.normal(0, overshoot)) if rng.random() < BOUNDS else None
        row = replace(row, value=float(value + bias + noise * sd * scale[noise_name] - (passed or 0.0)))
        rows.append(row if passed is None else replace(row, offset=(0.0, np.inf), offset_sd=overshoot))
    return rows


def fit_data_set(data: DataSet, priors: Priors, n_draws: int = 400) -> Floats:
    """Return draws of log uploads, hours a day and cumulative public hours at the end, shape (platforms, 3, n)."""
    loss = build_loss(priors)
    model = Model(data.series, data.rows, loss, theta_sds(priors))
    fitted = fit(model, seed=data.seed, freedom=priors["prior_observation_freedom"].p50)
    out = []
    for key, processes in Draws(fitted, seed=data.seed, n_draws=n_draws):
        found = volumes(processes, data.platforms[key], loss)[key]
        out.append(np.log([found.uploads_per_day[-1], found.upload_hours_per_day[-1], found.stock_hours[-1]]))
    return np.array(out)


def coverage(data: DataSet, draws: Floats) -> Floats:
    """Return for each platform and quantity whether the 50% and the 90% interval cover the truth, shape (platforms, 3, 2)."""
    truth = np.array([data.truth[key] for key in sorted(data.truth)])
    inside = [
        (truth >= np.quantile(draws, 0.5 - half, axis=2)) & (truth <= np.quantile(draws, 0.5 + half, axis=2))
        for half in (0.25, 0.45)
    ]
    return np.stack(inside, axis=2).astype(np.float64)


def calibrate(
    priors: Priors, kind: str, n_simulations: int, n_platforms: int = 15, first_seed: int = 1_000
) -> list[dict[str, object]]:
    """Return one row for each quantity: coverage, error and width at the last month of the simulated data sets of a kind.

    The log score is the mean log density a normal with the draws' mean and sd gives the truth.
    """
    covered, errors, sds = [], [], []
    for seed in range(first_seed, first_seed + n_simulations):
        data = simulate(priors, seed, n_platforms, kind=kind)
        draws = fit_data_set(data, priors)
        covered.append(coverage(data, draws))
        truth = np.array([data.truth[key] for key in sorted(data.truth)])
        errors.append(draws.mean(axis=2) - truth)
        sds.append(draws.std(axis=2))
    inside, error, sd = (np.concatenate(parts) for parts in (covered, errors, sds))
    score = -0.5 * (error / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    return [
        {
            "simulation_kind": kind,
            "quantity": quantity,
            "n_simulations": n_simulations,
            "n_truths": len(error),
            "covered_50_share": round(float(inside[:, i, 0].mean()), 4),
            "covered_90_share": round(float(inside[:, i, 1].mean()), 4),
            "rmse": round(float(np.sqrt((error[:, i] ** 2).mean())), 4),
            "mean_sd": round(float(sd[:, i].mean()), 4),
            "log_score": round(float(score[:, i].mean()), 4),
            "first_seed": first_seed,
        }
        for i, quantity in enumerate(QUANTITIES)
    ]
