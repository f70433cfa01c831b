"""The fit of all platforms to all usable observations: draws of flow and stock, and what each answer rests on."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import normals
from moat.volume.attribution import Attribution, log_sum_gradient
from moat.volume.loggaussian import THETA, Draws, Fit, Model, Row, fit, fit_like
from moat.volume.observations import read_places, read_priors, read_statements
from moat.volume.uploads import (
    DURATION,
    EARLY,
    HAZARD,
    Place,
    Volumes,
    assumption_of,
    build_loss,
    build_rows,
    build_series,
    month_index,
    month_start,
    part_volumes,
    parts_of,
    volumes,
    widened,
    widened_rows,
)

GRAIN = ("scenario_id", "platform_id", "month")
CACHE = True
TABLES = {
    "int_platform__draws": ("scenario_id", "platform_id", "month"),
    "int_platform__flow_quantiles": ("scenario_id", "platform_id", "month"),
    "int_platform__observation_fit": ("fact_id",),
    "int_platform__attribution": ("platform_id", "measure", "input_id"),
    "int_platform__worth": ("platform_id", "measure", "observation_kind"),
    "int_volume__fit": ("scenario_id", "parameter"),
}
NULLABLE = (
    "left_out_log_mean", "left_out_log_sd", "left_out_z", "reading_error", "assumption_id", "fact_id", "event_id",
    "variance_without", "shift_without",
)  # fmt: skip

OFFICIAL = ("official_file", "filing", "official_statement")
MEASURES = {"upload_hours_per_day": "hours_per_day", "stock_hours": "hours_public"}
CANDIDATES = {"users_monthly": "users", "uploads_per_day": "volume", "duration_new": "volume"}
QUANTILES = (0.05, 0.5, 0.95)


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
    places, parts = read_places(series, events, last)
    used = int_platform__observation_use.filter(pl.col("is_used") & pl.col("log_value").is_not_null()).sort("fact_id").collect()
    rows = build_rows(places, last, read_statements(used))
    official = set(used.filter(pl.col("source_kind").is_in(OFFICIAL))["fact_id"])
    shares = {
        row["platform_id"]: (row["parent_platform_id"], *(priors[named[row[key]]] for key in ("share_assumption_id", "duration_assumption_id")))
        for row in series.iter_rows(named=True) if row["share_assumption_id"] is not None
    }  # fmt: skip

    def built(of: dict[str, Split], with_rows: list[Row]) -> Model:
        return Model([build_series(place, last, of) for place in places.values()], with_rows, build_loss(of))

    seed, n_draws, n_fewer = settings["seed"], settings["n_draws"], settings["n_scenario_draws"]
    baseline = fit(built(priors, rows), seed=seed)
    factor = priors["wide_factor"].p50
    wide = widened(priors, factor)
    fits = {
        "baseline": (baseline, n_draws, priors),
        "official_only": (fit(built(priors, [row for row in rows if row.key in official]), seed=seed), n_fewer, priors),
        "wide": (fit_like(built(wide, widened_rows(rows, factor)), baseline), n_fewer, wide),
    }
    drawn: list[pl.DataFrame] = []
    quantiles: list[pl.DataFrame] = []
    errors: dict[str, float] = {}
    for scenario, (fitted, n, of) in fits.items():
        draws = Draws(fitted, seed=seed, n_draws=n)
        loss = build_loss(of)
        for key, processes in draws:
            place = places[key]
            whole = volumes(processes, place, loss)
            drawn.append(_lists(scenario, key, place.launched, whole))
            quantiles.append(_quantiles(scenario, key, place.launched, whole))
            if scenario == "baseline":
                errors |= draws.reading_error(key, processes)
            lost = (loss.early.at(processes[EARLY][0]), loss.hazard.at(processes[HAZARD][0]))
            for child, (parent, share, seconds) in shares.items():
                if parent == key:
                    z = [normals(seed, f"z:{child}:{what}", 1, n)[0] for what in ("share", DURATION)]
                    split = [s.widened(factor) if scenario == "wide" else s for s in (share, seconds)]
                    part = part_volumes(whole, place, parts[child], split[0].at(z[0]), split[1].at(z[1]), lost)
                    drawn.append(_lists(scenario, child, parts[child].launched, part))
                    quantiles.append(_quantiles(scenario, child, parts[child].launched, part))
    return {
        "int_platform__draws": pl.concat(drawn),
        "int_platform__flow_quantiles": pl.concat(quantiles),
        "int_platform__observation_fit": _observation_fit(baseline, errors),
        "int_platform__attribution": _attribution(baseline, places, last, ids),
        "int_platform__worth": _worth(baseline, places, last, priors),
        "int_volume__fit": pl.concat([_parameters(scenario, fitted) for scenario, (fitted, _, _) in fits.items()]),
    }


def _months(scenario: str, key: str, launched: int, n_months: int) -> dict[str, pl.Series]:
    """Return the grain columns of one platform."""
    return {
        "scenario_id": pl.Series([scenario] * n_months, dtype=pl.String),
        "platform_id": pl.Series([key] * n_months, dtype=pl.String),
        "month": pl.Series([month_start(launched + i) for i in range(n_months)], dtype=pl.Date),
    }


def _lists(scenario: str, key: str, launched: int, whole: Volumes) -> pl.DataFrame:
    """Return one row a month with the draws as lists: a tenth of the size of one row a draw, and as quick to read."""
    columns = {
        f"{name}_draws": pl.Series(getattr(whole, name).astype(np.float32)).cast(pl.List(pl.Float32))
        for name in ("uploads_per_day", "mean_duration_seconds", "stock_videos", "stock_hours")
    }
    return pl.DataFrame({**_months(scenario, key, launched, len(whole.stock_hours)), **columns})


def _quantiles(scenario: str, key: str, launched: int, whole: Volumes) -> pl.DataFrame:
    """Return the 5th, 50th and 95th percentile of every quantity and month."""
    columns: dict[str, Any] = {}
    for name in Volumes._fields:
        found = np.quantile(getattr(whole, name), QUANTILES, axis=1)
        columns |= {f"{name}_p{round(100 * q):02}": values for q, values in zip(QUANTILES, found, strict=True)}
    return pl.DataFrame({**_months(scenario, key, launched, len(whole.stock_hours)), **columns})


def _observation_fit(fitted: Fit, errors: dict[str, float]) -> pl.DataFrame:
    """Return how each observation sits with all others."""
    built = fitted.model
    mean, variance = fitted.best.left_out()
    sd = np.sqrt(variance)
    centre = mean - built.slack_mean
    return pl.DataFrame(
        {
            "fact_id": [row.key for row in built.rows],
            "left_out_log_mean": centre,
            "left_out_log_sd": sd,
            "left_out_z": (built.y - centre) / sd,
            "robust_weight": built.weight,
            "reading_error": pl.Series([errors.get(row.key) for row in built.rows], dtype=pl.Float64),
        }
    ).with_columns(pl.col("left_out_log_mean", "left_out_log_sd", "left_out_z").fill_nan(None))


def _attribution(fitted: Fit, places: dict[str, Place], last: int, ids: dict[str, str]) -> pl.DataFrame:
    """Return for each platform and measure what share of the log variance in the last month each input carries.

    The bias a source shares over its rows is handed to those rows in proportion to how hard each pulls.
    """
    built, today = fitted.model, month_start(last)
    out = []
    for key, place in places.items():
        for measure, kind in MEASURES.items():
            parts = parts_of(kind, place, last, (today, today))
            if parts is None:
                continue
            taken = Attribution(fitted.best, log_sum_gradient(fitted.best, {key: (parts[0], 1.0)}))
            rise, shift = taken.without()
            pull = np.abs(taken.pull)[:, None] * built.bias
            portion = pull / np.maximum(pull.sum(axis=0), 1e-300)
            observed = np.zeros(len(built.rows))
            inputs: dict[str, dict[str, Any]] = {}
            for part in taken.shares:
                if part.kind == "noise":
                    observed[[row.key for row in built.rows].index(part.key)] += part.share
                elif part.kind == "bias":
                    observed += part.share * portion[:, built.sources.index(part.key)]
                else:
                    name, scope = assumption_of(part.kind, part.key)
                    identity = ids.get(name)
                    row = inputs.setdefault(f"{identity or name}:{scope}", {
                        "assumption_id": identity, "event_id": None if identity else name, "variance_share": 0.0,
                    })  # fmt: skip
                    row["variance_share"] += part.share
            base = {"platform_id": key, "measure": measure, "log_sd": float(np.sqrt(taken.variance))}
            out += [
                {
                    **base,
                    "input_id": name,
                    "input_kind": "assumption",
                    "fact_id": None,
                    "variance_without": None,
                    "shift_without": None,
                    **row,
                }
                for name, row in inputs.items()
            ]
            out += [
                {
                    **base, "input_id": row.key, "input_kind": "observation", "fact_id": row.key, "assumption_id": None,
                    "event_id": None, "variance_share": float(observed[k]),
                    "variance_without": float(rise[k] / taken.variance), "shift_without": float(shift[k]),
                }
                for k, row in enumerate(built.rows)
            ]  # fmt: skip
    schema = {
        "platform_id": pl.String, "measure": pl.String, "input_id": pl.String, "input_kind": pl.String, "fact_id": pl.String,
        "assumption_id": pl.String, "event_id": pl.String, "variance_share": pl.Float64, "variance_without": pl.Float64,
        "shift_without": pl.Float64, "log_sd": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(out, schema=schema, orient="row").filter(pl.col("variance_share") > 0)


def _worth(fitted: Fit, places: dict[str, Place], last: int, priors: dict[str, Split]) -> pl.DataFrame:
    """Return what share of the log variance one more official statement of each kind would remove."""
    today = month_start(last)
    out = []
    for key, place in places.items():
        for measure, kind in MEASURES.items():
            parts = parts_of(kind, place, last, (today, today))
            if parts is None:
                continue
            taken = Attribution(fitted.best, log_sum_gradient(fitted.best, {key: (parts[0], 1.0)}))
            for candidate, family in CANDIDATES.items():
                sd, bias_sd = (priors[f"obs_{what}_{family}_t2"].p50 for what in ("sd", "bias"))
                about = parts_of(candidate, place, last, (today, today))
                if about is not None:
                    row = Row("new", key, 0.0, about, "new", family, sd, bias_sd)
                    out.append((key, measure, candidate, taken.worth_of(row)))
    return pl.DataFrame(
        out,
        schema={"platform_id": pl.String, "measure": pl.String, "observation_kind": pl.String, "variance_removed": pl.Float64},
        orient="row",
    )


def _parameters(scenario: str, fitted: Fit) -> pl.DataFrame:
    """Return the multipliers found, their spread over the points, and how well the whole fits."""
    points = np.array([point.theta for point in fitted.points])
    mean = fitted.weights @ points
    sd = np.sqrt(fitted.weights @ (points - mean) ** 2)
    names = [*THETA, "log_evidence", "n_observations"]
    values = [*mean, fitted.log_evidence, float(len(fitted.model.rows))]
    return pl.DataFrame(
        {
            "scenario_id": [scenario] * len(names),
            "parameter": names,
            "fitted_value": values,
            "fitted_sd": [*sd, 0.0, 0.0],
        }
    )
