"""Figures published after a day, predicted from the figures before it: the plain test of a forecast.

The model and the rules are today's; only later figures are hidden. A figure counts as later when the period it is about
ends after the day.
"""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from moat.volume.loggaussian import Model, fit, predict_later
from moat.volume.observations import read_places, read_priors, read_statements
from moat.volume.uploads import build_loss, build_rows, build_series, month_index

GRAIN = ("known_until", "fact_id")
CACHE = True
CUTS = (date(2021, 12, 31), date(2022, 12, 31), date(2023, 12, 31), date(2024, 12, 31))


def model(
    int_platform__observation_use: pl.LazyFrame,
    int_volume__priors: pl.LazyFrame,
    stg_reference__platforms: pl.LazyFrame,
    stg_reference__volume_series: pl.LazyFrame,
    stg_reference__platform_events: pl.LazyFrame,
    settings: dict[str, Any],
    as_of: date,
) -> pl.DataFrame:
    """Fit what was known at each cut, and predict every later figure with its own noise."""
    priors = read_priors(int_volume__priors.collect())
    last = month_index(as_of)
    series = stg_reference__volume_series.filter("is_modelled").join(stg_reference__platforms, on="platform_id").collect()
    places, _ = read_places(series, stg_reference__platform_events.collect(), last)
    used = int_platform__observation_use.filter(pl.col("is_used") & pl.col("log_value").is_not_null()).collect()
    rows = build_rows(places, last, read_statements(used))
    built = [build_series(place, last, priors) for place in places.values()]
    ends = dict(used.select("fact_id", "period_end_on").iter_rows())
    out = []
    for cut in CUTS:
        known = {row.key for row in rows if ends[row.key] <= cut}
        early = fit(
            Model(built, [row for row in rows if row.key in known], build_loss(priors)), seed=settings["seed"], n_points=1
        )
        whole = Model(built, rows, build_loss(priors))
        weights = {row.key: weight for row, weight in zip(early.model.rows, early.model.weight, strict=True)}
        whole.weight = np.array([weights.get(row.key, 1.0) for row in whole.rows])
        mean, variance = predict_later(whole, known, early.best.theta)
        out += [(cut, key, mean[key], float(np.sqrt(variance[key]))) for key in mean]
    schema = {"known_until": pl.Date, "fact_id": pl.String, "predicted_log_mean": pl.Float64, "predicted_log_sd": pl.Float64}
    return pl.DataFrame(out, schema=schema, orient="row")
