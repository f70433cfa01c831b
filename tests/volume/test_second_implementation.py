"""The same model in NumPyro, sampled by NUTS on the real record: what the linear solver and its draws give is the posterior.

Four platforms with all their statistics, every multiplier at 1 and every robust weight at 1. The model is written again from
the table of assumptions and `docs/method.md`; only what reads tables is shared.
"""

import csv
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from datamoat.build.run import build_models
from datamoat.project.read import read_project
from datamoat.scenarios.rebuild import leading_to
from datamoat.settings import Settings
from moat.volume.conditioning import Model
from moat.volume.draws import Draws
from moat.volume.hyperparameters import Fit
from moat.volume.observations import build_rows, read_platforms, read_priors, read_statements
from moat.volume.uploads import build_loss, build_series, month_index

jax = pytest.importorskip("jax", reason="the second implementation needs NumPyro: pip install --group second")
numpyro = pytest.importorskip("numpyro")
jax.config.update("jax_enable_x64", True)

pytestmark = pytest.mark.slow

PLATFORMS = ("bilibili", "douyin", "kuaishou", "tiktok")
KINDS = ("users_monthly", "users_daily", "uploads_per_day", "duration_new")
MONTHS = (date(2023, 6, 1), date(2026, 5, 1))  # compared
LAST = date(2026, 10, 1)
N_OURS, N_WARM, N_NUTS = 20_000, 400, 5_000
Z95 = 1.6448536269514722
PROCESSES = ("users", "rate", "duration")
FIT = "int_platform__fit"


class Record:
    """The statistics of the platforms, and their launch months and classes, as the real fit gets them."""

    def __init__(self, lake: Path) -> None:
        used = pl.read_parquet(lake / "intermediate" / "int_platform__observation_use.parquet")
        self.rows = used.filter(
            pl.col("is_used"), pl.col("log_value").is_not_null(), pl.col("platform_id").is_in(PLATFORMS), pl.col("observation_kind").is_in(KINDS)
        ).sort("fact_id")  # fmt: skip
        series = pl.read_parquet(lake / "staging" / "stg_reference__volume_series.parquet")
        platforms = pl.read_parquet(lake / "staging" / "stg_reference__platforms.parquet")
        self.platforms = series.filter(pl.col("platform_id").is_in(PLATFORMS)).join(platforms, on="platform_id")


@pytest.fixture(scope="module")
def record(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Record:
    root = tmp_path_factory.mktemp("record")
    shutil.copytree(checkout / "transforms", root / "transforms")
    shutil.copytree(checkout / "data" / "reference", root / "data" / "reference")
    project = leading_to(read_project(root), "intermediate.int_platform__draws")
    before_the_fit = replace(project, models=tuple(model for model in project.models if model.name != FIT))
    settings = Settings(content=root, data=root / "out", threads=1)
    build_models(settings, before_the_fit)
    return Record(settings.lake)


def ours(checkout: Path, record: Record) -> dict[tuple[str, date], np.ndarray]:
    """Log users, uploads a day and hours a day of the linear solver's draws, shape (3, n)."""
    table = pl.read_csv(checkout / "data" / "reference" / "assumptions.csv", glob=False).rename({"name": "assumption_name"})
    priors, last = read_priors(table), month_index(LAST)
    events = pl.DataFrame(schema={"event_id": pl.String, "platform_id": pl.String})
    platforms, _ = read_platforms(record.platforms, events, last)
    loss = build_loss(priors)
    rows = build_rows(platforms, last, read_statements(record.rows))
    assert len(rows) == record.rows.height
    solution = Model([build_series(item, last, priors) for item in platforms.values()], rows, loss).solve(np.zeros(0))
    fitted = Fit(solution.model, solution, [solution], np.ones(1), solution.evidence)
    found = {}
    for key, z in Draws(fitted, seed=11, n_draws=N_OURS):
        for month in MONTHS:
            at = month_index(month) - platforms[key].launched
            users, uploads = z["users"][at], z["users"][at] + z["rate"][at]
            found[key, month] = np.array([users, uploads, uploads + z["duration"][at] - np.log(3600)])
    return found


def index(day: date) -> int:
    """Months from January 2020."""
    return (day.year - 2020) * 12 + day.month - 1


class Second:
    """The model in NumPyro: states = mean + loadings @ standard normals, in the months that statistics or the comparison need.

    States of all platforms are one vector; `place` gives where a process of a platform starts. Statistics are one vector too.
    """

    def __init__(self, checkout: Path, record: Record) -> None:
        with (checkout / "data" / "reference" / "assumptions.csv").open(newline="", encoding="utf-8") as handle:
            known = {row["name"]: [float(row[end]) for end in ("p05", "p50", "p95")] for row in csv.DictReader(handle)}
        self.middle = {name: p50 for name, (_, p50, _) in known.items()}
        self.spread = {name: (p95 - p05) / (2 * Z95) for name, (p05, _, p95) in known.items()}
        self.rows = record.rows.to_dicts()
        self.launched = {
            row["platform_id"]: index(row["assumed_launch_on"] or row["launched_on"])
            for row in record.platforms.iter_rows(named=True)
        }
        kinds = dict(record.platforms.select("platform_id", "class").iter_rows())
        spans = [
            np.arange(max(index(row["period_start_on"]), self.launched[row["platform_id"]]), index(row["period_end_on"]) + 1)
            for row in self.rows
        ]
        wanted: dict[str, set[int]] = defaultdict(lambda: {index(month) for month in MONTHS})
        for row, span in zip(self.rows, spans, strict=True):
            wanted[row["platform_id"]] |= set(span.tolist())
        self.months = {key: np.array(sorted(wanted[key])) for key in PLATFORMS}
        self.place: dict[tuple[str, str], int] = {}
        means: list[np.ndarray] = []
        blocks: list[tuple[int, object, np.ndarray]] = []  # first state, name of the base normals, loadings
        for key in PLATFORMS:
            for name, mean, loadings in self.processes(key, kinds[key]):
                self.place[key, name] = start = sum(map(len, means))
                means.append(mean)
                blocks += [(start, normal, values.reshape(len(mean), -1)) for normal, values in loadings.items()]
        widths = {normal: values.shape[1] for _, normal, values in blocks}
        first = dict(zip(widths, np.cumsum([0, *widths.values()]), strict=False))
        self.mean = np.concatenate(means)
        self.loadings = np.zeros((len(self.mean), sum(widths.values())))
        for start, normal, values in blocks:
            self.loadings[start : start + len(values), first[normal] : first[normal] + values.shape[1]] = values
        self.statistics(spans)

    def processes(self, key: str, kind: str) -> list[tuple[str, np.ndarray, dict[object, np.ndarray]]]:
        """Name, mean and loadings of every process of one platform, as `docs/method.md` states the prior."""
        at, m, s = self.months[key], self.middle, self.spread
        years, one = at / 12, np.ones(len(at))
        ramp = np.exp(-(at - self.launched[key]) / m["prior_ramp_months"])

        def drift(name: str) -> np.ndarray:
            lag = np.sqrt(3) * np.abs(np.subtract.outer(at, at)) / m[f"prior_{name}_drift_months"]
            covariance = (1 + lag) * np.exp(-lag) + 1e-9 * np.eye(len(at))
            return np.asarray(m[f"prior_{name}_drift"] * np.linalg.cholesky(covariance))

        users = {(key, "u", i): s[f"prior_users_{what}"] * shape
                 for i, (what, shape) in enumerate((("level", one), ("growth", years), ("ramp", ramp)))}  # fmt: skip
        rate = {"g0": s["prior_rate_level"] * one, ("g", kind): s["prior_rate_level_class"] * one, "g1": s["prior_rate_growth"] * years,
                (key, "r0"): s["prior_rate_level_platform"] * one, (key, "r1"): s["prior_rate_growth_platform"] * years}  # fmt: skip
        seconds = {("h", kind): s[f"prior_duration_level_{kind}"] * one, "h1": s["prior_duration_growth"] * years,
                   (key, "d0"): s["prior_duration_level_platform"] * one, (key, "d1"): s["prior_duration_growth_platform"] * years}  # fmt: skip
        daily = {("y", kind): np.array([s["prior_daily_share_level"]]), (key, "y"): np.array([s["prior_daily_share_platform"]])}
        means = {
            "users": m["prior_users_level"] + m["prior_users_growth"] * years + m["prior_users_ramp"] * ramp,
            "rate": (m["prior_rate_level"] + m["prior_rate_level_class"] + m["prior_rate_level_platform"]) * one
            + (m["prior_rate_growth"] + m["prior_rate_growth_platform"]) * years,
            "duration": (m[f"prior_duration_level_{kind}"] + m["prior_duration_level_platform"]) * one
            + (m["prior_duration_growth"] + m["prior_duration_growth_platform"]) * years,
        }
        found: list[tuple[str, np.ndarray, dict[object, np.ndarray]]] = [
            (name, means[name], {**loadings, (key, name, "drift"): drift(name)})
            for name, loadings in zip(PROCESSES, (users, rate, seconds), strict=True)
        ]
        return [*found, ("daily", np.array([m["prior_daily_share_level"] + m["prior_daily_share_platform"]]), daily)]

    def statistics(self, spans: list[np.ndarray]) -> None:
        """Arrange the statistics: which states each adds, in which months, and what is known of its censoring bound."""
        n_rows, longest = len(self.rows), max(map(len, spans))
        sources = sorted({row["source_key"] for row in self.rows})
        n_states = len(self.mean)  # one past the last is a state that is zero
        self.states = np.full((n_rows, 3, longest), n_states)
        self.is_month = np.zeros((n_rows, longest), dtype=bool)
        self.bias = np.zeros((n_rows, len(sources)))
        for k, (row, span) in enumerate(zip(self.rows, spans, strict=True)):
            key, kind = row["platform_id"], row["observation_kind"]
            at = np.searchsorted(self.months[key], span if kind == "uploads_per_day" else [span[(len(span) - 1) // 2]])
            self.is_month[k, : len(at)] = True
            added = {"users_monthly": ("users",), "users_daily": ("users",), "uploads_per_day": ("users", "rate"), "duration_new": ("duration",)}[kind]  # fmt: skip
            for i, name in enumerate(added):
                self.states[k, i, : len(at)] = self.place[key, name] + at
            if kind == "users_daily":
                self.states[k, 2, : len(at)] = self.place[key, "daily"]
            self.bias[k, sources.index(row["source_key"])] = row["bias_sd"]
        self.y = np.array([row["log_value"] for row in self.rows])
        self.sd = np.array([np.hypot(row["noise_sd"], row["extra_sd"]) for row in self.rows])
        low, high, wide = (
            np.array([np.nan if row[f"offset_{end}"] is None else row[f"offset_{end}"] for row in self.rows])
            for end in ("low", "high", "sd")
        )
        self.normal, self.flat = np.flatnonzero(np.isfinite(wide)), np.flatnonzero(np.isnan(wide) & np.isfinite(high - low))
        self.floor = np.isfinite(low) & np.isnan(high) & np.isnan(wide)  # any excess is as likely
        self.wide = wide[self.normal] * np.where(np.isfinite(high[self.normal]), -1, 1)
        self.limits = low[self.flat], high[self.flat]

    def model(self) -> None:
        """Everything that is sampled, and the statistics."""
        dist, np_, observed = numpyro.distributions, jax.numpy, ~self.floor
        x = numpyro.sample("x", dist.Normal(0, 1).expand((self.loadings.shape[1],)))
        bias = self.bias @ numpyro.sample("b", dist.Normal(0, 1).expand((self.bias.shape[1],)))
        half = numpyro.sample("half", dist.HalfNormal(1).expand((len(self.normal),)))
        share = numpyro.sample("share", dist.Uniform(0, 1).expand((len(self.flat),)))
        bound = np_.zeros(len(self.y)).at[self.normal].set(self.wide * half)
        bound = bound.at[self.flat].set(self.limits[0] + (self.limits[1] - self.limits[0]) * share)
        state = self.mean + self.loadings @ x
        exponents = np_.append(state, 0.0)[self.states].sum(axis=1)
        total = jax.scipy.special.logsumexp(np_.where(self.is_month, exponents, -np.inf), axis=1)
        value = total - np.log(self.is_month.sum(axis=1)) + bias - bound
        numpyro.factor("floors", jax.scipy.special.log_ndtr(((value - self.y) / self.sd)[self.floor]).sum())
        numpyro.sample("y", dist.Normal(value[observed], self.sd[observed]), obs=self.y[observed])
        numpyro.deterministic("state", state)

    def sample(self) -> dict[tuple[str, date], np.ndarray]:
        """NUTS in coordinates in which the posterior is near a standard normal: by its curvature at the mode, differentiated."""
        started = numpyro.infer.util.initialize_model(jax.random.PRNGKey(1), self.model)
        flat, unravel = jax.flatten_util.ravel_pytree(started.param_info.z)
        potential = jax.jit(lambda x: started.potential_fn(unravel(x)))
        gradient, hessian = jax.jit(jax.grad(potential)), jax.jit(jax.hessian(potential))
        mode, step = np.zeros(len(flat)), np.full(len(flat), np.inf)
        while np.abs(step).max() > 1e-6:
            values, vectors = np.linalg.eigh(np.array(hessian(mode)))
            step = vectors @ ((vectors.T @ np.array(gradient(mode))) / np.maximum(values, 0.5))
            mode = mode - step * min(1.0, 3.0 / np.abs(step).max())
        root = jax.numpy.array(vectors / np.sqrt(np.maximum(values, 0.5)))
        kernel = numpyro.infer.NUTS(potential_fn=lambda x: potential(mode + root @ x), target_accept_prob=0.8)
        chain = numpyro.infer.MCMC(kernel, num_warmup=N_WARM, num_samples=N_NUTS, progress_bar=False)
        chain.run(jax.random.PRNGKey(2), init_params=jax.numpy.zeros(len(flat)))
        draws: Any = jax.jit(jax.vmap(lambda x: started.postprocess_fn(unravel(mode + root @ x))["state"]))(chain.get_samples())
        found = {}
        for key in PLATFORMS:
            for month in MONTHS:
                at = int(np.searchsorted(self.months[key], index(month)))
                users, rate, seconds = (np.array(draws[:, self.place[key, name] + at]) for name in PROCESSES)
                found[key, month] = np.array([users, users + rate, users + rate + seconds - np.log(3600)])
        return found


def test_medians_are_within_two_percent_and_interval_ends_within_five_beside_the_error_of_the_sample(
    checkout: Path, record: Record, record_property: Callable[[str, object], None]
) -> None:
    mine, other = ours(checkout, record), Second(checkout, record).sample()
    worst = dict.fromkeys(("median", "end"), 0.0)
    for at, draws in mine.items():
        for a, b in zip(draws, other[at], strict=True):
            n_effective = numpyro.diagnostics.effective_sample_size(b[None])
            assert n_effective > N_NUTS / 4
            for q, which, allowed, density in (
                (0.5, "median", 0.02, 0.399),
                (0.05, "end", 0.05, 0.103),
                (0.95, "end", 0.05, 0.103),
            ):
                error = np.sqrt(q * (1 - q) / n_effective) * b.std() / density  # of the sample's own quantile
                away = abs(np.quantile(a, q) - np.quantile(b, q))
                worst[which] = max(worst[which], away)
                assert away < allowed + 2 * error, (at, q, away, error)
    record_property("measured", {which: round(float(away), 4) for which, away in worst.items()})
