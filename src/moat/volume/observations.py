"""From tables to the terms of the volume model: platforms, published statistics and priors."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from moat.uncertainty.quantiles import Split
from moat.volume.processes import Row
from moat.volume.uploads import Event, Platform, month_index, parts_of


class Statement(NamedTuple):
    """One published statistic, ready for the fit; see `processes.Row`.

    Attributes:
        key: Its identity.
        platform: The platform it is about.
        kind: One of KINDS.
        log_value: Natural log of the statistic in the kind's unit.
        period_start: First day it is about.
        period_end: Last day it is about.
        seen_on: When it was counted.
        source: Rows of one source share a bias.
        noise_name: The assumption that gives its noise.
        bias_name: The assumption that gives the shared bias.
        noise_sd: Log noise.
        bias_sd: Log sd of the shared bias.
        extra_sd: Further log noise.
        contamination: Probability that it is about something else, and the further log noise it has then.
        offset_low: Lower limit of the offset; None with offset_high None is a plain point, else open.
        offset_high: Upper limit of the offset.
        offset_sd: Spread of the offset; None is flat.
    """

    key: str
    platform: str
    kind: str
    log_value: float
    period_start: date
    period_end: date
    seen_on: date
    source: str
    noise_name: str
    bias_name: str
    noise_sd: float
    bias_sd: float
    extra_sd: float
    contamination: tuple[float, float] | None
    offset_low: float | None
    offset_high: float | None
    offset_sd: float | None


def read_priors(table: pl.DataFrame) -> dict[str, Split]:
    """Return the priors of a table with assumption_name, distribution, p05, p50, p95.

    Raises:
        ContentError: One of them is no distribution.
    """
    return {
        name: Split(distribution, p05, p50, p95).checked(name)
        for name, distribution, p05, p50, p95 in table.select("assumption_name", "distribution", "p05", "p50", "p95").iter_rows()
    }


def read_platforms(
    series: pl.DataFrame, events: pl.DataFrame, last_month: int
) -> tuple[dict[str, Platform], dict[str, Platform]]:
    """Return the platforms that are fitted and those that are an assumed share of another, by id.

    A part of a fitted platform without an assumed share is a class of length of it.

    Args:
        series: platform_id, parent_platform_id, class, launched_on, closed_on, assumed_launch_on, share_assumption_id.
        events: event_id, platform_id, process, starts_on, step_sd, slope_sd.
        last_month: Platforms launched later are left out.
    """
    fitted: dict[str, Platform] = {}
    parts: dict[str, Platform] = {}
    lengths: dict[str, list[Platform]] = {}
    known = set(series["platform_id"])
    for row in series.sort("platform_id").iter_rows(named=True):
        mine = events.filter(pl.col("platform_id") == row["platform_id"]).sort("event_id")
        declared = tuple(
            Event(e["event_id"], e["process"], month_index(e["starts_on"]), e["step_sd"], e["slope_sd"])
            for e in mine.iter_rows(named=True)
        )
        ended = None if row["closed_on"] is None else month_index(row["closed_on"]) + 1
        launched: date = row["assumed_launch_on"] or row["launched_on"]
        platform = Platform(row["platform_id"], row["class"], month_index(launched), ended, declared)
        if platform.launched > last_month:
            continue
        if row["share_assumption_id"] is not None:
            parts[platform.key] = platform
        elif row["parent_platform_id"] in known:
            lengths.setdefault(row["parent_platform_id"], []).append(platform)
        else:
            fitted[platform.key] = platform
    return {key: item._replace(lengths=tuple(lengths.get(key, ()))) for key, item in fitted.items()}, parts


def read_statements(used: pl.DataFrame) -> list[Statement]:
    """Return published statistics; columns as in `int_platform__observation_use`."""
    return [
        Statement(
            key=row["fact_id"],
            platform=row["platform_id"],
            kind=row["observation_kind"],
            log_value=row["log_value"],
            period_start=row["period_start_on"],
            period_end=row["period_end_on"],
            seen_on=row["seen_on"],
            source=row["source_key"],
            noise_name=row["noise_name"],
            bias_name=row["bias_name"],
            noise_sd=row["noise_sd"],
            bias_sd=row["bias_sd"],
            extra_sd=row["extra_sd"],
            contamination=None if row["contamination_sd"] is None else (row["contamination_share"], row["contamination_sd"]),
            offset_low=row["offset_low"],
            offset_high=row["offset_high"],
            offset_sd=row["offset_sd"],
        )
        for row in used.sort("fact_id").iter_rows(named=True)
    ]


def build_rows(platforms: Mapping[str, Platform], last_month: int, statements: Sequence[Statement]) -> list[Row]:
    """Return engine rows; statements outside their platform's months are left out."""
    rows = []
    home = {item.key: platform for platform in platforms.values() for item in (platform, *platform.lengths)}
    for item in statements:
        platform = home[item.platform]
        period = (item.period_start, item.period_end)
        parts = parts_of(item.kind, platform, last_month, period, item.seen_on, of=item.platform)
        if parts is None:
            continue
        low = -np.inf if item.offset_low is None else item.offset_low
        high = np.inf if item.offset_high is None else item.offset_high
        has_offset = item.offset_low is not None or item.offset_high is not None
        rows.append(
            Row(
                key=item.key,
                series=platform.key,
                value=item.log_value,
                parts=parts,
                source=item.source,
                sd=item.noise_sd,
                bias_sd=item.bias_sd,
                extra_sd=item.extra_sd,
                contamination=item.contamination,
                offset=(low, high) if has_offset else None,
                offset_sd=np.inf if item.offset_sd is None else item.offset_sd,
                noise_name=item.noise_name,
                bias_name=item.bias_name,
            )
        )
    return rows
