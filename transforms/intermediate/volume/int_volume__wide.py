"""The scenario `wide`: the baseline's hyperparameters and weights with every uncertainty doubled, on the same statistics.

A model of its own because its draws take as long as all else that is fitted: the baseline's hyperparameters are searched here a second
time, so that the two can be computed at once.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from moat.volume.draws import Draws
from moat.volume.hyperparameters import fit_like, search
from moat.volume.scenarios import drawn_tables, read_record
from moat.volume.uploads import widened, widened_rows

CACHE = True
TABLES = {
    "int_platform__wide_draws": ("scenario_id", "platform_id", "month"),
    "int_platform__wide_quantiles": ("scenario_id", "platform_id", "month"),
}


def model(
    int_platform__observation_use: pl.LazyFrame,
    int_volume__priors: pl.LazyFrame,
    stg_reference__platforms: pl.LazyFrame,
    stg_reference__volume_series: pl.LazyFrame,
    stg_reference__platform_events: pl.LazyFrame,
    settings: dict[str, Any],
    as_of: date,
) -> dict[str, pl.DataFrame | Iterator[pl.DataFrame]]:
    """Search the baseline's hyperparameters, and condition the widened model like it."""
    record = read_record(
        int_platform__observation_use, int_volume__priors, stg_reference__platforms, stg_reference__volume_series,
        stg_reference__platform_events, as_of,
    )  # fmt: skip
    factor, freedom = (record.priors[name].p50 for name in ("wide_factor", "prior_observation_freedom"))
    baseline = search(record.model(record.priors, record.rows), seed=settings["seed"], freedom=freedom)
    wide = widened(record.priors, factor)
    fitted = fit_like(record.model(wide, widened_rows(record.rows, factor)), baseline)
    del baseline
    draws = Draws(fitted, seed=settings["seed"], n_draws=settings["n_draws"])
    drawn, quantiles = drawn_tables("wide", record, draws, wide)
    return {"int_platform__wide_draws": iter(drawn), "int_platform__wide_quantiles": pl.concat(quantiles)}
