"""From tables to the terms of the volume model: platforms, published statistics and priors."""

from datetime import date

import polars as pl

from moat.uncertainty.quantiles import Split
from moat.volume.uploads import Event, Platform, Statement, month_index


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

    Args:
        series: platform_id, class, launched_on, closed_on, assumed_launch_on, share_assumption_id.
        events: event_id, platform_id, process, starts_on, step_sd, slope_sd.
        last_month: Platforms launched later are left out.
    """
    fitted: dict[str, Platform] = {}
    parts: dict[str, Platform] = {}
    for row in series.sort("platform_id").iter_rows(named=True):
        mine = events.filter(pl.col("platform_id") == row["platform_id"]).sort("event_id")
        declared = tuple(
            Event(e["event_id"], e["process"], month_index(e["starts_on"]), e["step_sd"], e["slope_sd"])
            for e in mine.iter_rows(named=True)
        )
        ended = None if row["closed_on"] is None else month_index(row["closed_on"]) + 1
        launched: date = row["assumed_launch_on"] or row["launched_on"]
        platform = Platform(row["platform_id"], row["class"], month_index(launched), ended, declared)
        if platform.launched <= last_month:
            (fitted if row["share_assumption_id"] is None else parts)[platform.key] = platform
    return fitted, parts


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
            offset_low=row["offset_low"],
            offset_high=row["offset_high"],
            offset_sd=row["offset_sd"],
        )
        for row in used.sort("fact_id").iter_rows(named=True)
    ]
