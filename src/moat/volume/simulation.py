"""Made worlds with a known truth, to see how often the intervals of a fit hold it."""

from dataclasses import replace
from datetime import date
from typing import NamedTuple

import numpy as np

from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats, generator
from moat.volume.loggaussian import Draws, Model, Row, Series, evaluate, fit, matern
from moat.volume.uploads import (
    RATE,
    USERS,
    Event,
    Place,
    build_loss,
    build_series,
    month_start,
    parts_of,
    volumes,
)

KINDS = ("well_specified", "sparse", "heavy_tails", "biased_sources", "undeclared_breaks", "declared_breaks")
QUANTITIES = ("uploads_per_day", "upload_hours_per_day", "stock_hours")
PRIORS = {
    "prior_users_level": Split("normal", 17.05, 19.519, 21.99),
    "prior_users_growth": Split("normal", -0.147, 0.05, 0.247),
    "prior_users_ramp": Split("normal", -4.645, -3.0, -1.355),
    "prior_ramp_months": Split("fixed", 18, 18, 18),
    "prior_users_wander": Split("lognormal", 0.305, 0.5, 0.82),
    "prior_users_wander_months": Split("lognormal", 14.7, 24, 39.3),
    "prior_rate_level": Split("normal", -5.193, -3.219, -1.245),
    "prior_rate_level_class": Split("normal", -1.316, 0.0, 1.316),
    "prior_rate_level_platform": Split("normal", -1.316, 0.0, 1.316),
    "prior_rate_growth": Split("normal", -0.0516, 0.08, 0.2116),
    "prior_rate_growth_platform": Split("normal", -0.1645, 0.0, 0.1645),
    "prior_rate_wander": Split("lognormal", 0.305, 0.5, 0.82),
    "prior_rate_wander_months": Split("lognormal", 18.3, 30, 49.1),
    "prior_duration_level_short": Split("normal", 2.643, 3.219, 3.795),
    "prior_duration_level_long": Split("normal", 5.821, 6.397, 6.973),
    "prior_duration_level_social": Split("normal", 2.98, 3.555, 4.131),
    "prior_duration_level_platform": Split("normal", -0.5757, 0.0, 0.5757),
    "prior_duration_growth": Split("normal", -0.0358, 0.03, 0.0958),
    "prior_duration_growth_platform": Split("normal", -0.0658, 0.0, 0.0658),
    "prior_duration_wander": Split("lognormal", 0.122, 0.2, 0.328),
    "prior_duration_wander_months": Split("lognormal", 22, 36, 59),
    "prior_daily_share_level": Split("normal", -0.845, -0.598, -0.351),
    "prior_daily_share_platform": Split("normal", -0.329, 0.0, 0.329),
    "early_loss_share": Split("beta", 0.1, 0.2, 0.32),
    "late_loss_hazard": Split("lognormal", 0.01, 0.035, 0.08),
}
SILENT, FLOORS, OUTLIERS, PASSED_SD = 0.25, 0.2, 0.08, 0.4  # shares of places, figures, figures; spread of a floor
SDS = {"users": (0.02, 0.05, 0.1, 0.2), "volume": (0.05, 0.15, 0.3, 0.6)}
BIASES = {"users": (0.02, 0.05, 0.08, 0.15), "volume": (0.05, 0.15, 0.25, 0.5)}


class World(NamedTuple):
    """A truth and what was published about it.

    Attributes:
        seed: What it was made from.
        series: The prior a fit is given.
        places: The same, before it was built.
        rows: The published figures.
        truth: Log uploads, hours a day and hours in stock at the last month, by place, shape (3,).
    """

    seed: int
    series: list[Series]
    places: dict[str, Place]
    rows: list[Row]
    truth: dict[str, Floats]


def make_world(seed: int, n_places: int = 25, n_months: int = 120, kind: str = "well_specified") -> World:
    """Draw a world from the prior, hyper-parameters included, and publish about ten figures per place.

    A quarter of the places publishes no volume at all. Kinds: sparse has two user counts and one upload count per place;
    heavy_tails has Student-t(3) noise and 8% of figures four
    times too noisy; biased_sources doubles every bias; breaks adds two jumps per place, declared to the fit or not.
    """
    rng = generator(seed, "world")
    last = n_months - 25  # the grid starts before the epoch of the trends
    classes = ("short", "long", "social")
    theta = rng.normal(0, 0.3, 5).clip(-0.7, 0.7)
    shared = rng.normal(size=200)
    names: dict[str, int] = {}
    places, series, rows, truth = {}, [], [], {}
    for i in range(n_places):
        launched = last - int(rng.integers(36, n_months))
        breaks = tuple(Event(f"{i}:{j}", (USERS, RATE)[j], int(rng.integers(launched + 6, last - 3)), 0.5, 0.5) for j in range(2))
        actual = Place(f"p{i:02}", classes[i % 3], launched, None, breaks if kind.endswith("breaks") else ())
        place = actual if kind != "undeclared_breaks" else actual._replace(events=())
        built = build_series(actual, last, PRIORS)
        z = built.mean.copy()
        for process in built.processes:
            span = built.spans[process.name]
            for name, loading in process.shared.items():
                z[span] += loading * shared[names.setdefault(name, len(names))]
            for loading in process.own.values():
                z[span] += loading * rng.normal()
            if process.gp_sd:
                n = len(process.mean)
                factor = np.linalg.cholesky(matern(n, process.gp_length * np.exp(theta[4])) + 1e-9 * np.eye(n))
                z[span] += np.exp(theta[3]) * process.gp_sd * (factor @ rng.normal(size=n))
        places[place.key] = place
        series.append(build_series(place, last, PRIORS))
        states = {name: z[span][:, None] for name, span in built.spans.items()}
        found = volumes(states, actual, build_loss(PRIORS))
        truth[place.key] = np.log([found.uploads_per_day[-1, 0], found.upload_hours_per_day[-1, 0], found.stock_hours[-1, 0]])
        rows += _published(rng, actual, built, z, last, theta, kind, has_volumes=rng.random() > SILENT)
    return World(seed, series, places, rows, truth)


def _published(
    rng: np.random.Generator, place: Place, series: Series, z: Floats, last: int, theta: Floats, kind: str, *, has_volumes: bool
) -> list[Row]:
    """Return the figures that are published about one place."""
    kinds = ["users_monthly"] * 5 + ["users_daily"] * 2
    if kind == "sparse":
        kinds = ["users_monthly"] * 2 + ["uploads_per_day"] * has_volumes
    elif has_volumes:
        kinds += ["uploads_per_day"] * 4 + ["duration_new", "videos_public"]
    biases: dict[str, float] = {}
    rows = []
    for j, what in enumerate(kinds):
        family = "users" if what.startswith("users") else "volume"
        tier = int(rng.integers(0, 4))
        month = int(rng.integers(place.launched + 3, last + 1))
        day: date = month_start(month)
        parts = parts_of(what, place, last, (day, day))
        if parts is None:
            continue
        source = f"{place.key}:{family}:{tier}"
        scale = 2.0 if kind == "biased_sources" else 1.0
        bias = biases.setdefault(source, scale * rng.normal()) * BIASES[family][tier] * np.exp(theta[2])
        noise = rng.normal()
        if kind == "heavy_tails":
            noise = rng.standard_t(3) * (4.0 if rng.random() < OUTLIERS else 1.0)
        sd = SDS[family][tier]
        row = Row(f"{place.key}:{j:02}", place.key, 0.0, parts, source, family, sd, BIASES[family][tier])
        value, _ = evaluate(series, row, z, build_loss(PRIORS))
        passed = abs(rng.normal(0, PASSED_SD)) if rng.random() < FLOORS else None
        stated = value + bias + noise * sd * np.exp(theta[0 if family == "users" else 1]) - (passed or 0.0)
        row = replace(row, value=float(stated))
        rows.append(row if passed is None else replace(row, slack=(0.0, np.inf), slack_sd=PASSED_SD))
    return rows


def fit_world(world: World, n_draws: int = 400, *, is_robust: bool = True) -> Floats:
    """Return draws of log uploads, hours a day and hours in stock at the end, shape (places, 3, n)."""
    loss = build_loss(PRIORS)
    fitted = fit(Model(world.series, world.rows, loss), seed=world.seed, is_robust=is_robust)
    out = []
    for key, processes in Draws(fitted, seed=world.seed, n_draws=n_draws):
        found = volumes(processes, world.places[key], loss)
        out.append(np.log([found.uploads_per_day[-1], found.upload_hours_per_day[-1], found.stock_hours[-1]]))
    return np.array(out)


def coverage(world: World, draws: Floats) -> Floats:
    """Return for each place and quantity whether the 50% and the 90% interval hold the truth, shape (places, 3, 2)."""
    truth = np.array([world.truth[key] for key in sorted(world.truth)])
    inside = [
        (truth >= np.quantile(draws, 0.5 - half, axis=2)) & (truth <= np.quantile(draws, 0.5 + half, axis=2))
        for half in (0.25, 0.45)
    ]
    return np.stack(inside, axis=2).astype(np.float64)


def calibrate(kind: str, n_worlds: int, n_places: int = 15, first_seed: int = 1_000) -> list[dict[str, object]]:
    """Return one row for each quantity: coverage, error and width at the last month of `n_worlds` worlds of a kind.

    The log score is the mean log density a normal with the draws' mean and sd gives the truth.
    """
    covered, errors, sds = [], [], []
    for seed in range(first_seed, first_seed + n_worlds):
        world = make_world(seed, n_places, kind=kind)
        draws = fit_world(world)
        covered.append(coverage(world, draws))
        truth = np.array([world.truth[key] for key in sorted(world.truth)])
        errors.append(draws.mean(axis=2) - truth)
        sds.append(draws.std(axis=2))
    inside, error, sd = (np.concatenate(parts) for parts in (covered, errors, sds))
    score = -0.5 * (error / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    return [
        {
            "world_kind": kind,
            "quantity": quantity,
            "n_worlds": n_worlds,
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
