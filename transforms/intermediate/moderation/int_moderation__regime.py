"""Stretches of one level in the daily number of decisions of moderation, by platform and basis.

A shift is a change of the 14-day median by a factor of 1.9 or more. Where a declared event of the platform lies within a
week of a shift, it is named as the cause; every other shift is unexplained.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from moat.regimes import level, level_shifts

GRAIN = ("platform_id", "regime_id")
NULLABLE = ("level_factor",)
NEAR = timedelta(days=7)

SCHEMA = {
    "platform_id": pl.String,
    "regime_id": pl.String,
    "moderation_basis": pl.String,
    "begins_on": pl.Date,
    "ends_on": pl.Date,
    "daily_level": pl.Float64,
    "level_factor": pl.Float64,
    "shift_cause": pl.String,
}


def model(int_moderation__day: pl.LazyFrame, stg_reference__platform_events: pl.LazyFrame) -> pl.DataFrame:
    """Return one row per platform, basis and stretch of one level."""
    daily = (
        int_moderation__day.group_by("platform_id", "moderation_basis", "received_on")
        .agg(pl.col("n_statements").sum())
        .sort("platform_id", "moderation_basis", "received_on")
        .collect()
    )
    events: dict[str, list[tuple[date, str]]] = {}
    for platform, starts_on, title in (
        stg_reference__platform_events.select("platform_id", "starts_on", "event_title").sort("starts_on").collect().iter_rows()
    ):
        events.setdefault(platform, []).append((starts_on, title))
    rows = []
    for (platform, basis), frame in daily.group_by("platform_id", "moderation_basis", maintain_order=True):
        first, last = frame["received_on"][0], frame["received_on"][-1]
        values = np.full((last - first).days + 1, np.nan)
        values[[(day - first).days for day in frame["received_on"]]] = frame["n_statements"].to_numpy()
        shifts = level_shifts(values)
        starts = [0, *(shift.index for shift in shifts)]
        for number, start in enumerate(starts):
            end = starts[number + 1] - 1 if number + 1 < len(starts) else len(values) - 1
            begins_on = first + timedelta(days=start)
            cause = "first" if number == 0 else _cause(begins_on, events.get(str(platform), []))
            rows.append(
                (
                    platform,
                    f"{basis}-{number + 1}",
                    basis,
                    begins_on,
                    first + timedelta(days=end),
                    level(values[start : end + 1]),
                    shifts[number - 1].factor if number else None,
                    cause,
                )
            )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _cause(day: date, events: list[tuple[date, str]]) -> str:
    """Return the title of the event nearest to a day, or that there is none."""
    near = [(abs(starts_on - day), title) for starts_on, title in events if abs(starts_on - day) <= NEAR]
    return min(near)[1] if near else "unexplained"
