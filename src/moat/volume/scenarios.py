"""A scenario from tables to tables: the record that is fitted, and what draws of a fit amount to, platform by platform."""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from moat.uncertainty.assumptions import quantile_columns
from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import stratified_normals
from moat.volume.conditioning import Model
from moat.volume.draws import Draws
from moat.volume.observations import build_rows, read_platforms, read_priors, read_statements
from moat.volume.processes import Row
from moat.volume.totals import Volumes, part_volumes, volumes
from moat.volume.uploads import DURATION, Platform, build_loss, build_series, month_index, month_start, theta_sds


class Part(NamedTuple):
    """A platform that is an assumed share of another.

    Attributes:
        platform: The part.
        parent: The platform it is a part of.
        share: Name of the prior of its share of uploads.
        seconds: Name of the prior of its mean length.
    """

    platform: Platform
    parent: str
    share: str
    seconds: str


class Record(NamedTuple):
    """Everything that is fitted.

    Attributes:
        platforms: Those that are fitted, by id.
        parts: Those that are a share of another, in the order of their ids.
        rows: Usable published statistics.
        priors: By name.
        ids: Assumption id by name.
        last: Index of the last month.
    """

    platforms: dict[str, Platform]
    parts: tuple[Part, ...]
    rows: list[Row]
    priors: dict[str, Split]
    ids: dict[str, str]
    last: int

    def model(self, priors: dict[str, Split], rows: list[Row]) -> Model:
        """Return the model of all platforms with other priors or statistics."""
        series = [build_series(item, self.last, priors) for item in self.platforms.values()]
        return Model(series, rows, build_loss(priors), theta_sds(priors))


def read_record(
    used: pl.LazyFrame, priors: pl.LazyFrame, platforms: pl.LazyFrame, series: pl.LazyFrame, events: pl.LazyFrame, as_of: date
) -> Record:
    """Read the record from its tables.

    Args:
        used: As `int_platform__observation_use`.
        priors: As `int_volume__priors`.
        platforms: As `stg_reference__platforms`.
        series: As `stg_reference__volume_series`.
        events: As `stg_reference__platform_events`.
        as_of: A day of the last month.
    """
    table = priors.collect()
    ids = dict(zip(table["assumption_name"], table["assumption_id"], strict=True))
    named = {assumption: name for name, assumption in ids.items()}
    last = month_index(as_of)
    modelled = series.filter(pl.col("is_modelled")).join(platforms, on="platform_id").sort("platform_id").collect()
    fitted, parts = read_platforms(modelled, events.sort("event_id").collect(), last)
    usable = used.filter(pl.col("is_used") & pl.col("log_value").is_not_null()).sort("fact_id").collect()
    shares = tuple(
        Part(parts[row["platform_id"]], row["parent_platform_id"], named[row["share_assumption_id"]], named[row["duration_assumption_id"]])
        for row in modelled.iter_rows(named=True) if row["share_assumption_id"] is not None and row["platform_id"] in parts
    )  # fmt: skip
    return Record(fitted, shares, build_rows(fitted, last, read_statements(usable)), read_priors(table), ids, last)


def drawn_tables(
    scenario: str, record: Record, draws: Draws, priors: dict[str, Split]
) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Return the draws of every platform, its classes of length and its parts, and the percentiles of those draws.

    Args:
        scenario: Its id.
        record: What was fitted.
        draws: Of the fit.
        priors: Of the scenario.

    Returns:
        A frame of lists of draws for each of them, in the order of scenario_id, platform_id and month, and as many frames of
        percentiles.
    """
    drawn: list[pl.DataFrame] = []
    quantiles: list[pl.DataFrame] = []
    loss = build_loss(priors)

    def add(platform: Platform, whole: Volumes) -> None:
        rows, percentiles = _tables(scenario, platform, whole)
        drawn.append(rows)
        quantiles.append(percentiles)

    for key, processes in draws:
        platform = record.platforms[key]
        found = volumes(processes, platform, loss)
        for item in (platform, *platform.lengths):
            add(item, found[item.key])
        for part in record.parts:
            if part.parent == key:
                child = part.platform.key
                z = [stratified_normals(draws.seed, f"z:{child}:{what}", 1, draws.n_draws)[0] for what in ("share", DURATION)]
                share, seconds = priors[part.share].at(z[0]), priors[part.seconds].at(z[1])
                add(part.platform, part_volumes(found[key], platform, part.platform, share, seconds, processes, loss))
    return drawn, quantiles


def _tables(scenario: str, platform: Platform, whole: Volumes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of one platform: draws as lists, in the precision they are published in, and the percentiles of those."""
    n_months = len(whole.stock_hours)
    keys = {
        "scenario_id": pl.Series([scenario] * n_months, dtype=pl.String),
        "platform_id": pl.Series([platform.key] * n_months, dtype=pl.String),
        "month": pl.Series([month_start(platform.launched + i) for i in range(n_months)], dtype=pl.Date),
    }
    rounded = {name: getattr(whole, name).astype(np.float32) for name in Volumes._fields}
    lists = {f"{name}_draws": pl.Series(values).cast(pl.List(pl.Float32)) for name, values in rounded.items()}
    exact = {name: values.astype(np.float64) for name, values in rounded.items()}
    found = quantile_columns(exact, n_months, ("upload_hours_per_day", "stock_hours"))
    return pl.DataFrame({**keys, **lists}), pl.DataFrame({**keys, **found})
