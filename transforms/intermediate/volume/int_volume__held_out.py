"""Published statistics predicted without themselves: later ones from earlier ones, and those of one platform from all others.

The model and the rules are today's; only statistics are hidden. A statistic is later when the period it is about ends after the
day; each is predicted once, from the newest of the days. Of a platform that is left out its user counts stay known, and the
hyperparameters are those of all statistics; its counts that are too old for the fit are predicted too, and so are those of platforms that
have no others and no estimate.
"""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from moat.volume.conditioning import Model
from moat.volume.hyperparameters import fit, like, predict_others
from moat.volume.observations import build_rows, read_platforms, read_priors, read_statements
from moat.volume.uploads import build_loss, build_series, month_index, theta_sds

GRAIN = ("held_out_by", "fact_id")
NULLABLE = ("known_until",)
CACHE = True
CLASSES = ("short", "long", "social")  # that have a prior
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
    """Hide statistics and predict each of them with its own noise."""
    priors = read_priors(int_volume__priors.collect())
    last = month_index(as_of)
    stated = int_platform__observation_use.filter(pl.col("log_value").is_not_null()).collect()
    series = (
        stg_reference__volume_series.filter(
            pl.col("is_modelled") | pl.col("platform_id").is_in(stated["platform_id"].unique().to_list())
        )
        .join(stg_reference__platforms, on="platform_id")
        .filter(pl.coalesce("assumed_launch_on", "launched_on").is_not_null(), pl.col("class").is_in(CLASSES))
        .collect()
    )
    platforms, _ = read_platforms(series, stg_reference__platform_events.collect(), last)
    stated = stated.filter(pl.col("platform_id").is_in(series["platform_id"].to_list()))
    used = stated.filter("is_used")
    rows = build_rows(platforms, last, read_statements(used))
    unused = build_rows(platforms, last, read_statements(stated.filter(~pl.col("is_used"))))
    built = [build_series(platform, last, priors) for platform in platforms.values()]
    loss, sds, freedom = build_loss(priors), theta_sds(priors), priors["prior_observation_freedom"].p50
    ends = dict(used.select("fact_id", "period_end_on").iter_rows())
    volumes = set(stated.filter(pl.col("noise_family") == "volume")["fact_id"])
    whole = Model(built, rows, loss, sds)
    out: list[tuple[str, date | None, str, float, float]] = []
    for cut, until in zip(CUTS, (*CUTS[1:], date.max), strict=True):
        known = [row for row in rows if ends[row.key] <= cut]
        early = fit(Model(built, known, loss, sds), seed=settings["seed"], freedom=freedom, n_points=1).best
        mean, variance = predict_others(whole, {row.key for row in known}, like(whole, early))
        out += [("later_statistics", cut, key, mean[key], float(np.sqrt(variance[key]))) for key in mean if ends[key] <= until]
    best = fit(whole, seed=settings["seed"], freedom=freedom, n_points=1).best
    every = Model(built, [*rows, *unused], loss, sds)
    theta = like(every, best)
    for key in platforms:
        hidden = {row.key for row in every.rows if row.series == key and row.key in volumes}
        if hidden:
            mean, variance = predict_others(every, {row.key for row in rows} - hidden, theta)
            found = hidden & mean.keys()  # a bare lower bound has no prediction to compare with
            out += [("leave_one_platform_out", None, fact, mean[fact], float(np.sqrt(variance[fact]))) for fact in sorted(found)]
    schema = {
        "held_out_by": pl.String, "known_until": pl.Date, "fact_id": pl.String, "predicted_log_mean": pl.Float64,
        "predicted_log_sd": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(out, schema=schema, orient="row")
