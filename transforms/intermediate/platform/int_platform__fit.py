"""The fit of all platforms to all usable observations: draws of uploads and hours, and what each estimate rests on.

The scenario `wide` is a model of its own.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from moat.uncertainty.seeds import Floats
from moat.volume.attribution import Attribution, log_sum_gradient
from moat.volume.draws import Draws
from moat.volume.hyperparameters import Fit, fit
from moat.volume.processes import Row
from moat.volume.scenarios import Record, drawn_tables, read_record
from moat.volume.uploads import assumption_of, month_start, parts_of

GRAIN = ("scenario_id", "platform_id", "month")
CACHE = True
TABLES = {
    "int_platform__draws": ("scenario_id", "platform_id", "month"),
    "int_platform__flow_quantiles": ("scenario_id", "platform_id", "month"),
    "int_platform__observation_fit": ("fact_id",),
    "int_platform__loading": ("measure", "input_id", "part", "platform_id"),
    "int_platform__gain": ("measure", "input_id", "observation_kind", "platform_id"),
    "int_volume__fit": ("scenario_id", "parameter"),
}
NULLABLE = (
    "left_out_log_mean", "left_out_log_sd", "left_out_z", "observation_error", "assumption_id", "fact_id", "event_id",
)  # fmt: skip

OFFICIAL = ("official_file", "filing", "official_statement")
MEASURES = {"upload_hours_per_day": "hours_per_day", "stock_hours": "hours_public"}
CANDIDATES = {"users_monthly": "users", "uploads_per_day": "volume", "duration_new": "volume"}
Long = tuple[dict[str, Any], list[str], Floats]  # keys of an input, platforms, its loadings on them
DROPPED = "without"  # the kind of gain that dropping an observation has


def model(
    int_platform__observation_use: pl.LazyFrame,
    int_volume__priors: pl.LazyFrame,
    stg_reference__platforms: pl.LazyFrame,
    stg_reference__volume_series: pl.LazyFrame,
    stg_reference__platform_events: pl.LazyFrame,
    settings: dict[str, Any],
    as_of: date,
) -> dict[str, pl.DataFrame | Iterator[pl.DataFrame]]:
    """Fit the baseline and take it apart, then what official statistics alone give."""
    record = read_record(
        int_platform__observation_use, int_volume__priors, stg_reference__platforms, stg_reference__volume_series,
        stg_reference__platform_events, as_of,
    )  # fmt: skip
    seed, n_draws, freedom = settings["seed"], settings["n_draws"], record.priors["prior_observation_freedom"].p50
    baseline = fit(record.model(record.priors, record.rows), seed=seed, freedom=freedom)
    draws = Draws(baseline, seed=seed, n_draws=n_draws)
    errors = {fact: error for key in record.platforms for fact, error in draws.observation_error(key).items()}
    drawn, quantiles = drawn_tables("baseline", record, draws, record.priors)
    loadings, gains = _attribution(baseline, record)
    observation_fit, parameters = _observation_fit(baseline, errors), _parameters("baseline", baseline)
    del draws, baseline  # before the next fit is made
    stated = int_platform__observation_use.filter(pl.col("source_kind").is_in(OFFICIAL)).select("fact_id").collect()
    official = set(stated["fact_id"])
    only = fit(record.model(record.priors, [row for row in record.rows if row.key in official]), seed=seed, freedom=freedom)
    more = drawn_tables("official_only", record, Draws(only, seed=seed, n_draws=n_draws), record.priors)
    return {
        "int_platform__draws": iter(drawn + more[0]),
        "int_platform__flow_quantiles": pl.concat(quantiles + more[1]),
        "int_platform__observation_fit": observation_fit,
        "int_platform__loading": loadings,
        "int_platform__gain": gains,
        "int_volume__fit": pl.concat([parameters, _parameters("official_only", only)]),
    }


def _observation_fit(fitted: Fit, errors: dict[str, float]) -> pl.DataFrame:
    """Return how each observation compares with its prediction from all others."""
    built = fitted.model
    mean, variance = fitted.best.left_out()
    sd = np.sqrt(variance)
    centre = mean - built.offset_mean
    return pl.DataFrame(
        {
            "fact_id": [row.key for row in built.rows],
            "left_out_log_mean": centre,
            "left_out_log_sd": sd,
            "left_out_z": (built.y - centre) / sd,
            "robust_weight": built.weight,
            "observation_error": pl.Series([errors.get(row.key) for row in built.rows], dtype=pl.Float64),
        }
    ).with_columns(pl.col("left_out_log_mean", "left_out_log_sd", "left_out_z").fill_nan(None))


def _attribution(fitted: Fit, record: Record) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return how every input moves the log of each platform's hours in the last month, and what more or less data would.

    Squares of loadings add up to the variance, for a platform and for any weighted sum of platforms.
    """
    platforms, last, priors, ids = record.platforms, record.last, record.priors, record.ids
    period = (month_start(last), month_start(last))
    loadings: list[Long] = []
    gains: list[Long] = []
    for measure, kind in MEASURES.items():
        about = {key: parts for key, item in platforms.items() if (parts := parts_of(kind, item, last, period)) is not None}
        targets = [log_sum_gradient(fitted.best, {key: (parts[0], 1.0)}) for key, parts in about.items()]
        taken = Attribution(fitted.best, targets)
        counts: dict[str, int] = {}
        for item in taken.loadings:
            if item.kind in ("noise", "bias"):
                row = {
                    "input_id": item.key,
                    "input_kind": "observation",
                    "fact_id": item.key,
                    "assumption_id": None,
                    "event_id": None,
                }
            else:
                name, scope = assumption_of(item.kind, item.key)
                row = {
                    "input_id": f"{ids.get(name, name)}:{scope}", "input_kind": "assumption", "fact_id": None,
                    "assumption_id": ids.get(name), "event_id": None if name in ids else name,
                }  # fmt: skip
            counts[str(row["input_id"])] = part = counts.get(str(row["input_id"]), 0) + 1
            loadings.append(({"measure": measure, **row, "part": part}, list(about), item.loadings))
        for built, values in zip(fitted.model.rows, taken.without()[0], strict=True):
            gains.append(({"measure": measure, "input_id": built.key, "observation_kind": DROPPED}, list(about), values))
        for key, platform in platforms.items():
            for candidate, family in CANDIDATES.items():
                sd, bias_sd = (priors[f"obs_{what}_{family}_t2"].p50 for what in ("sd", "bias"))
                seen = parts_of(candidate, platform, last, period)
                if seen is not None:
                    values = taken.gain(Row("new", key, 0.0, seen, "new", sd, bias_sd))
                    gains.append(({"measure": measure, "input_id": key, "observation_kind": candidate}, list(about), values))
    return _table(loadings), _table(gains)


def _table(rows: list[Long]) -> pl.DataFrame:
    """Return one row per input and platform."""
    columns: dict[str, Any] = {name: [keys[name] for keys, ids, _ in rows for _ in ids] for name in rows[0][0]}
    columns["platform_id"] = [key for _, ids, _ in rows for key in ids]
    columns["log_loading"] = np.concatenate([values for _, _, values in rows])
    types = {"part": pl.Int32, "log_loading": pl.Float64}
    return pl.DataFrame(columns, schema={name: types.get(name, pl.String) for name in columns})


def _parameters(scenario: str, fitted: Fit) -> pl.DataFrame:
    """Return the multipliers found, their spread over the points, and how well the whole fits."""
    points = np.array([point.theta for point in fitted.points])
    mean = fitted.weights @ points
    sd = np.sqrt(fitted.weights @ (points - mean) ** 2)
    names = [*fitted.model.theta_names, "log_evidence", "n_observations"]
    values = [*mean, fitted.log_evidence, float(len(fitted.model.rows))]
    return pl.DataFrame(
        {
            "scenario_id": [scenario] * len(names),
            "parameter": names,
            "fitted_value": values,
            "fitted_sd": [*sd, 0.0, 0.0],
        }
    )
