"""The fit of all platforms to all usable observations: draws of uploads and hours, and what each estimate rests on."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from moat.uncertainty.assumptions import quantile_columns
from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats, stratified_normals
from moat.volume.attribution import Attribution, log_sum_gradient
from moat.volume.conditioning import Model
from moat.volume.draws import Draws
from moat.volume.hyperparameters import Fit, fit, fit_like
from moat.volume.observations import build_rows, read_platforms, read_priors, read_statements
from moat.volume.processes import Row
from moat.volume.totals import Volumes, part_volumes, volumes
from moat.volume.uploads import (
    DURATION,
    Platform,
    assumption_of,
    build_loss,
    build_series,
    month_index,
    month_start,
    parts_of,
    theta_sds,
    widened,
    widened_rows,
)

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
) -> dict[str, pl.DataFrame]:
    """Fit the baseline, then the scenarios that need a fit of their own, and take everything apart once."""
    known = int_volume__priors.collect()
    priors = read_priors(known)
    ids = dict(zip(known["assumption_name"], known["assumption_id"], strict=True))
    named = {assumption: name for name, assumption in ids.items()}
    last = month_index(as_of)
    series = (
        stg_reference__volume_series.filter(pl.col("is_modelled"))
        .join(stg_reference__platforms, on="platform_id")
        .sort("platform_id")
        .collect()
    )
    events = stg_reference__platform_events.sort("event_id").collect()
    platforms, parts = read_platforms(series, events, last)
    used = int_platform__observation_use.filter(pl.col("is_used") & pl.col("log_value").is_not_null()).sort("fact_id").collect()
    rows = build_rows(platforms, last, read_statements(used))
    official = set(used.filter(pl.col("source_kind").is_in(OFFICIAL))["fact_id"])
    shares = {
        row["platform_id"]: (row["parent_platform_id"], *(priors[named[row[key]]] for key in ("share_assumption_id", "duration_assumption_id")))
        for row in series.iter_rows(named=True) if row["share_assumption_id"] is not None
    }  # fmt: skip

    def built(of: dict[str, Split], with_rows: list[Row]) -> Model:
        return Model([build_series(item, last, of) for item in platforms.values()], with_rows, build_loss(of), theta_sds(of))

    seed, n_draws, freedom = settings["seed"], settings["n_draws"], priors["prior_observation_freedom"].p50
    baseline = fit(built(priors, rows), seed=seed, freedom=freedom)
    factor = priors["wide_factor"].p50
    wide = widened(priors, factor)
    only_official = built(priors, [row for row in rows if row.key in official])
    fits = {
        "baseline": (baseline, priors),
        "official_only": (fit(only_official, seed=seed, freedom=freedom), priors),
        "wide": (fit_like(built(wide, widened_rows(rows, factor)), baseline), wide),
    }
    drawn: list[pl.DataFrame] = []
    quantiles: list[pl.DataFrame] = []
    errors: dict[str, float] = {}
    for scenario, (fitted, of) in fits.items():
        draws = Draws(fitted, seed=seed, n_draws=n_draws)
        loss = build_loss(of)
        for key, processes in draws:
            platform = platforms[key]
            found = volumes(processes, platform, loss)
            whole = found[key]
            for item in (platform, *platform.lengths):
                _add(drawn, quantiles, scenario, item, found[item.key])
            if scenario == "baseline":
                errors |= draws.observation_error(key)
            for child, (parent, share, seconds) in shares.items():
                if parent == key:
                    z = [stratified_normals(seed, f"z:{child}:{what}", 1, n_draws)[0] for what in ("share", DURATION)]
                    split = [s.widened(factor) if scenario == "wide" else s for s in (share, seconds)]
                    part = part_volumes(whole, platform, parts[child], split[0].at(z[0]), split[1].at(z[1]), processes, loss)
                    _add(drawn, quantiles, scenario, parts[child], part)
    loadings, gains = _attribution(baseline, platforms, last, priors, ids)
    return {
        "int_platform__draws": pl.concat(drawn),
        "int_platform__flow_quantiles": pl.concat(quantiles),
        "int_platform__observation_fit": _observation_fit(baseline, errors),
        "int_platform__loading": loadings,
        "int_platform__gain": gains,
        "int_volume__fit": pl.concat([_parameters(scenario, fitted) for scenario, (fitted, _) in fits.items()]),
    }


def _add(
    drawn: list[pl.DataFrame], quantiles: list[pl.DataFrame], scenario: str, platform: Platform, whole: Volumes
) -> None:  # fmt: skip
    """Add the rows of one platform: draws as lists, in the precision they are published in, and the percentiles of those."""
    n_months = len(whole.stock_hours)
    keys = {
        "scenario_id": pl.Series([scenario] * n_months, dtype=pl.String),
        "platform_id": pl.Series([platform.key] * n_months, dtype=pl.String),
        "month": pl.Series([month_start(platform.launched + i) for i in range(n_months)], dtype=pl.Date),
    }
    rounded = {name: getattr(whole, name).astype(np.float32) for name in Volumes._fields}
    lists = {f"{name}_draws": pl.Series(values).cast(pl.List(pl.Float32)) for name, values in rounded.items()}
    drawn.append(pl.DataFrame({**keys, **lists}))
    exact = {name: values.astype(np.float64) for name, values in rounded.items()}
    quantiles.append(pl.DataFrame({**keys, **quantile_columns(exact, n_months, ("upload_hours_per_day", "stock_hours"))}))


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


def _attribution(
    fitted: Fit, platforms: dict[str, Platform], last: int, priors: dict[str, Split], ids: dict[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """Return how every input moves the log of each platform's hours in the last month, and what more or less data would.

    Squares of loadings add up to the variance, for a platform and for any weighted sum of platforms.
    """
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
