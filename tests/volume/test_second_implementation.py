"""The same model in NumPyro, sampled by NUTS on the real record: what the linear solver and its draws give is the posterior.

Four platforms with 150 statistics, every multiplier at 1 and every robust weight at 1. The model is written again from the
assumptions, with no code of `moat.volume` but what reads the tables.
"""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from datamoat.settings import Settings
from moat.volume.conditioning import Model
from moat.volume.draws import Draws
from moat.volume.hyperparameters import Fit
from moat.volume.observations import build_rows, read_platforms, read_priors, read_statements
from moat.volume.uploads import build_loss, build_series, month_index

jax = pytest.importorskip("jax")
numpyro = pytest.importorskip("numpyro")
jax.config.update("jax_enable_x64", True)

pytestmark = pytest.mark.slow

PLATFORMS = ("bilibili", "douyin", "kuaishou", "tiktok")
KINDS = ("users_monthly", "users_daily", "uploads_per_day", "duration_new")
MONTHS = (date(2023, 6, 1), date(2026, 5, 1))  # compared
LAST = date(2026, 10, 1)
N_OURS, N_WARM, N_NUTS = 20_000, 1_000, 12_000
Z95 = 1.6448536269514722


@dataclass
class Record:
    """The statistics of the platforms, and their launch months and classes."""

    rows: pl.DataFrame
    platforms: pl.DataFrame


@pytest.fixture(scope="module")
def record(published: Settings) -> Record:
    lake = published.lake
    used = pl.read_parquet(lake / "intermediate" / "int_platform__observation_use.parquet").filter(
        pl.col("is_used"), pl.col("log_value").is_not_null(), pl.col("platform_id").is_in(PLATFORMS), pl.col("observation_kind").is_in(KINDS)
    )  # fmt: skip
    series = pl.read_parquet(lake / "staging" / "stg_reference__volume_series.parquet").filter(
        pl.col("platform_id").is_in(PLATFORMS)
    )
    return Record(
        used.sort("fact_id"),
        series.join(pl.read_parquet(lake / "staging" / "stg_reference__platforms.parquet"), on="platform_id"),
    )


def index(day: date) -> int:
    """Months from January 2020."""
    return (day.year - 2020) * 12 + day.month - 1


def normal(name: str, *shape: int) -> "jax.Array":
    return numpyro.sample(name, numpyro.distributions.Normal(0, 1).expand(shape))


def assumptions(checkout: Path) -> dict[str, dict[str, float]]:
    with (checkout / "data" / "reference" / "assumptions.csv").open(newline="", encoding="utf-8") as handle:
        return {row["name"]: {key: float(row[key]) for key in ("p05", "p50", "p95")} for row in csv.DictReader(handle)}


def ours(checkout: Path, record: Record) -> dict[tuple[str, date], np.ndarray]:
    """Log users, uploads a day and hours a day of the linear solver's draws, shape (3, n)."""
    table = pl.read_csv(checkout / "data" / "reference" / "assumptions.csv").rename({"name": "assumption_name"})
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


class Second:
    """The model in NumPyro: months with statistics only, every statistic by its own observation function."""

    def __init__(self, checkout: Path, record: Record) -> None:
        known = assumptions(checkout)
        self.middle = {name: row["p50"] for name, row in known.items()}
        self.spread = {name: (row["p95"] - row["p05"]) / (2 * Z95) for name, row in known.items()}
        self.launched = {
            row["platform_id"]: index(row["assumed_launch_on"] or row["launched_on"])
            for row in record.platforms.iter_rows(named=True)
        }
        self.kind_of = dict(record.platforms.select("platform_id", "class").iter_rows())
        self.stated = {key: record.rows.filter(pl.col("platform_id") == key).to_dicts() for key in PLATFORMS}
        self.spans = {
            row["fact_id"]: np.arange(max(index(row["period_start_on"]), self.launched[key]), index(row["period_end_on"]) + 1)
            for key in PLATFORMS
            for row in self.stated[key]
        }
        compared = np.array([index(month) for month in MONTHS])
        self.months = {
            key: np.unique(np.concatenate([*(self.spans[row["fact_id"]] for row in self.stated[key]), compared]))
            for key in PLATFORMS
        }
        self.sources = sorted(set(record.rows["source_key"]))
        self.roots = {
            key: {name: self.cholesky(self.months[key], name) for name in ("users", "rate", "duration")} for key in PLATFORMS
        }

    def cholesky(self, months: np.ndarray, name: str) -> np.ndarray:
        """A root of the covariance of a Matern-3/2 drift."""
        lag = np.sqrt(3) * np.abs(np.subtract.outer(months, months)) / self.middle[f"prior_{name}_drift_months"]
        root = np.linalg.cholesky((1 + lag) * np.exp(-lag) + 1e-9 * np.eye(len(months)))
        return np.asarray(self.middle[f"prior_{name}_drift"] * root)

    def prior(self, name: str, z: "jax.Array") -> "jax.Array":
        return self.middle[f"prior_{name}"] + self.spread[f"prior_{name}"] * z

    def model(self) -> None:
        """Everything that is sampled, and the logs that are compared."""
        shared = {name: normal(f"g:{name}") for name in ("rate", "rate_growth", "duration_growth")}
        kinds = sorted(set(self.kind_of.values()))
        shared |= {(name, kind): normal(f"g:{name}:{kind}") for name in ("rate", "duration", "daily") for kind in kinds}
        bias = {source: normal(f"b:{source}") for source in self.sources}
        for key in PLATFORMS:
            users, rate, seconds, daily = self.processes(key, shared)
            of_month = {"users_monthly": users, "users_daily": users + daily, "duration_new": seconds}
            for row in self.stated[key]:
                place = np.searchsorted(self.months[key], self.spans[row["fact_id"]])
                if row["observation_kind"] == "uploads_per_day":
                    value = jax.scipy.special.logsumexp((users + rate)[place]) - np.log(len(place))
                else:
                    value = of_month[row["observation_kind"]][place[(len(place) - 1) // 2]]
                self.observe(row, value + row["bias_sd"] * bias[row["source_key"]])
            for month in MONTHS:
                at = int(np.searchsorted(self.months[key], index(month)))
                uploads = users[at] + rate[at]
                logs = jax.numpy.stack([users[at], uploads, uploads + seconds[at] - np.log(3600)])
                numpyro.deterministic(f"{key}:{month}", logs)

    def processes(self, key: str, shared: dict[object, "jax.Array"]) -> tuple["jax.Array", ...]:
        """Log users, uploads per user, seconds and the daily share of one platform."""
        at, kind, prior = self.months[key], self.kind_of[key], self.prior
        years, ramp = at / 12, np.exp(-(at - self.launched[key]) / self.middle["prior_ramp_months"])
        own = normal(f"w:{key}", 8)
        drift = {name: root @ normal(f"gp:{key}:{name}", len(at)) for name, root in self.roots[key].items()}
        users = prior("users_level", own[0]) + prior("users_growth", own[1]) * years + prior("users_ramp", own[2]) * ramp
        level = prior("rate_level", shared["rate"]) + prior("rate_level_class", shared["rate", kind])
        growth = prior("rate_growth", shared["rate_growth"]) + prior("rate_growth_platform", own[4])
        rate = level + prior("rate_level_platform", own[3]) + growth * years
        level = prior(f"duration_level_{kind}", shared["duration", kind]) + prior("duration_level_platform", own[5])
        growth = prior("duration_growth", shared["duration_growth"]) + prior("duration_growth_platform", own[6])
        seconds = level + growth * years
        daily = prior("daily_share_level", shared["daily", kind]) + prior("daily_share_platform", own[7])
        return users + drift["users"], rate + drift["rate"], seconds + drift["duration"], daily

    def observe(self, row: dict[str, object], value: "jax.Array") -> None:
        """One statistic: the truth with its bias, less a censoring bound, with noise."""
        dist, sd = numpyro.distributions, float(np.hypot(row["noise_sd"], row["extra_sd"]))
        low, high, wide = row["offset_low"], row["offset_high"], row["offset_sd"]
        if low is not None and high is None and wide is None:  # a bare floor: any excess is as likely
            numpyro.factor(row["fact_id"], jax.scipy.special.log_ndtr((value - row["log_value"]) / sd))
            return
        if wide is not None:
            value = value - numpyro.sample(f"c:{row['fact_id']}", dist.HalfNormal(wide)) * (1 if high is None else -1)
        elif low is not None:
            value = value - numpyro.sample(f"c:{row['fact_id']}", dist.Uniform(low, high))
        numpyro.sample(row["fact_id"], dist.Normal(value, sd), obs=row["log_value"])

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
        kernel = numpyro.infer.NUTS(potential_fn=lambda x: potential(mode + root @ x), target_accept_prob=0.9)
        chain = numpyro.infer.MCMC(kernel, num_warmup=N_WARM, num_samples=N_NUTS, progress_bar=False)
        chain.run(jax.random.PRNGKey(2), init_params=jax.numpy.zeros(len(flat)))
        found = jax.jit(jax.vmap(lambda x: started.postprocess_fn(unravel(mode + root @ x))))(chain.get_samples())
        return {(key, month): np.array(found[f"{key}:{month}"]).T for key in PLATFORMS for month in MONTHS}


def test_medians_are_within_two_percent_and_interval_ends_within_five(checkout: Path, record: Record) -> None:
    mine, other = ours(checkout, record), Second(checkout, record).sample()
    worst = {"median": 0.0, "end": 0.0}
    for at, draws in mine.items():
        for a, b in zip(draws, other[at], strict=True):
            for q, which, allowed in ((0.5, "median", 0.02), (0.05, "end", 0.05), (0.95, "end", 0.05)):
                density = {0.5: 0.399, 0.05: 0.103, 0.95: 0.103}[q] / b.std()
                error = np.sqrt(q * (1 - q) / (N_NUTS / 2)) / density  # of the sample's own quantile, half of it effective
                away = abs(np.quantile(a, q) - np.quantile(b, q))
                worst[which] = max(worst[which], away)
                assert away < allowed + 2 * error, (at, q, away, error)
    print(worst)  # noqa: T201 - shown with -s
