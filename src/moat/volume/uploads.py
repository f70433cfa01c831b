"""The shape of a platform where people post video: users, uploads per user, seconds per upload, and what is lost later.

Everything is on the natural log scale and per month. Numbers come from named prior assumptions; this module knows the
form of the model, not the numbers and not the platforms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple, TypedDict

import numpy as np

from datamoat.errors import ContentError
from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats
from moat.volume.accumulate import MONTH_N_DAYS, public_total
from moat.volume.processes import LogSum, Loss, Process, Row, Series

EPOCH_YEAR = 2020  # trends are measured from its January: never the middle of the grid, which moves as months are added
SECONDS_PER_HOUR = 3600.0
USERS, RATE, DURATION, DAILY = "users", "rate", "duration", "daily_share"
EARLY, HAZARD = "early_loss", "late_hazard"

# What can be observed: the processes that are added, and whether months are averaged, summed, or summed less losses.
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "users_monthly": ((USERS,), "middle"),
    "users_daily": ((USERS, DAILY), "middle"),
    "uploads_per_day": ((USERS, RATE), "mean"),
    "hours_per_day": ((USERS, RATE, DURATION), "mean"),
    "duration_new": ((DURATION,), "middle"),
    "duration_stock": ((USERS, RATE, DURATION), "ratio"),
    "videos_public": ((USERS, RATE), "public"),
    "hours_public": ((USERS, RATE, DURATION), "public"),
    "videos_uploaded": ((USERS, RATE), "total"),
    "hours_uploaded": ((USERS, RATE, DURATION), "total"),
    "cohort_public": ((USERS, RATE), "cohort"),
}


class Drift(TypedDict):
    """The arguments of `Process` that describe its Gaussian-process drift."""

    gp_sd: float
    gp_length: float
    gp_names: tuple[str, str]


class Event(NamedTuple):
    """A declared change of one process of one series: a step and a change of slope, both unknown in size.

    Attributes:
        event_id: Names its random numbers.
        process: USERS, RATE or DURATION.
        month: Month index from EPOCH_YEAR.
        step_sd: Prior sd of the step, log scale.
        slope_sd: Prior sd of the change of yearly growth over the months after, as many as the assumption gives.
    """

    event_id: str
    process: str
    month: int
    step_sd: float
    slope_sd: float


class Platform(NamedTuple):
    """One series to be built.

    Attributes:
        key: Its identity.
        kind: Its class; the prior of durations and the pooled upload rate depend on it.
        launched: First month, index from EPOCH_YEAR.
        ended: One past the last month with uploads; None while it is open.
        events: Declared changes.
    """

    key: str
    kind: str
    launched: int
    ended: int | None = None
    events: tuple[Event, ...] = ()


def month_index(day: date) -> int:
    """Return the number of months from January of EPOCH_YEAR to the month of `day`."""
    return (day.year - EPOCH_YEAR) * 12 + day.month - 1


def month_start(index: int) -> date:
    """Return the first day of a month index."""
    return date(EPOCH_YEAR + index // 12, index % 12 + 1, 1)


def _take(priors: Mapping[str, Split], name: str) -> Split:
    """Return a prior by name, or say which is missing."""
    if name not in priors:
        raise ContentError(
            f"no assumption is named {name!r}", "data/reference/assumptions.csv", "add it, with a reason, or correct the name."
        )
    return priors[name]


def build_loss(priors: Mapping[str, Split]) -> Loss:
    """Return how months fade, from the two shared assumptions."""
    return Loss(_take(priors, "early_loss_share"), _take(priors, "late_loss_hazard"), EARLY, HAZARD)


def build_series(platform: Platform, last_month: int, priors: Mapping[str, Split]) -> Series:
    """Return the prior of one platform on the months from its launch to `last_month`.

    Raises:
        ContentError: It was launched after `last_month`, or a prior is missing.
    """
    n_months = last_month - platform.launched + 1
    if n_months < 1:
        raise ContentError(
            f"{platform.key} is launched after the last month of the grid",
            "data/reference/platforms.csv",
            "correct launched_on, or leave it out of the fit.",
        )

    def prior(name: str) -> Split:
        """Return one of this model's priors."""
        return _take(priors, f"prior_{name}")

    def drift(name: str) -> Drift:
        """Return sd, length and hyperparameters of a process's Gaussian-process drift."""
        names = (f"prior_{name}_drift", f"prior_{name}_drift_months")
        return {"gp_sd": _take(priors, names[0]).p50, "gp_length": _take(priors, names[1]).p50, "gp_names": names}

    ones, age = np.ones(n_months), np.arange(n_months)
    years = (platform.launched + age) / 12.0
    ramp = np.exp(-age / prior("ramp_months").p50)

    def events(process: str) -> dict[str, Floats]:
        """Return the two columns of each declared change of a process."""
        columns: dict[str, Floats] = {}
        for event in platform.events:
            if event.process == process:
                since = platform.launched + age - event.month
                columns[f"event:{event.event_id}:step"] = np.asarray(event.step_sd * (since >= 0), dtype=np.float64)
                columns[f"event:{event.event_id}:slope"] = np.asarray(
                    event.slope_sd / 12 * np.clip(since, 0, prior("event_ramp_months").p50), dtype=np.float64
                )
        return columns

    def constant(name: str) -> Process:
        """Return a base normal of everybody as a state of its own."""
        return Process(name, np.zeros(1), shared={name: np.ones(1)})

    level, growth, start = prior("users_level"), prior("users_growth"), prior("users_ramp")
    users = Process(
        USERS,
        level.p50 + growth.p50 * years + start.p50 * ramp,
        own={"users": level.sd * ones, "users_growth": growth.sd * years, "users_ramp": start.sd * ramp, **events(USERS)},
        **drift("users"),
    )
    level, growth = prior("rate_level"), prior("rate_growth")
    of_class, of_platform, own_growth = prior("rate_level_class"), prior("rate_level_platform"), prior("rate_growth_platform")
    rate = Process(
        RATE,
        level.p50 + of_class.p50 + of_platform.p50 + (growth.p50 + own_growth.p50) * years,
        shared={
            "rate": level.sd * ones,
            f"rate:{platform.kind}": of_class.sd * ones,
            "rate_growth": growth.sd * years,
        },
        own={
            "rate": of_platform.sd * ones,
            "rate_growth": own_growth.sd * years,
            **events(RATE),
        },
        **drift("rate"),
    )
    level, growth = prior(f"duration_level_{platform.kind}"), prior("duration_growth")
    of_platform, own_growth = prior("duration_level_platform"), prior("duration_growth_platform")
    duration = Process(
        DURATION,
        level.p50 + of_platform.p50 + (growth.p50 + own_growth.p50) * years,
        shared={f"duration:{platform.kind}": level.sd * ones, "duration_growth": growth.sd * years},
        own={
            "duration": of_platform.sd * ones,
            "duration_growth": own_growth.sd * years,
            **events(DURATION),
        },
        **drift("duration"),
    )
    level, of_platform = prior("daily_share_level"), prior("daily_share_platform")
    daily = Process(
        DAILY,
        np.array([level.p50 + of_platform.p50]),
        shared={f"daily_share:{platform.kind}": np.array([level.sd])},
        own={"daily_share": np.array([of_platform.sd])},
    )
    return Series(platform.key, (users, rate, duration, daily, constant(EARLY), constant(HAZARD)))


def parts_of(
    kind: str, platform: Platform, last_month: int, period: tuple[date, date], seen_on: date | None = None
) -> tuple[LogSum, ...] | None:
    """Return what an observation of a kind measures, or None where its period does not meet the platform's months.

    Args:
        kind: One of KINDS.
        platform: The series.
        last_month: Last month of the grid.
        period: First and last day the statement is about. Months before launch or after the end are cut off.
        seen_on: For a cohort, the day it was counted; otherwise the period's last day.
    """
    processes, how = KINDS[kind]
    first, last = (month_index(day) for day in period)
    stop = min(last, last_month, (platform.ended or last_month + 1) - 1) + 1 - platform.launched
    begin = max(first - platform.launched, 0)
    if stop <= begin:
        return None
    n_days = (period[1] - period[0]).days + 1
    if how == "middle":
        middle = (begin + stop - 1) // 2
        return (LogSum(processes, middle, middle + 1),)
    if how == "mean":
        hours = np.log(SECONDS_PER_HOUR) if DURATION in processes else 0.0
        return (LogSum(processes, begin, stop, shift=float(-np.log(stop - begin) - hours)),)
    if how == "cohort":
        seen = month_index(seen_on or period[1]) - platform.launched
        ages = np.maximum(seen - np.arange(begin, stop), 0).astype(np.float64)
        return (LogSum(processes, begin, stop, shift=float(np.log(n_days / (last - first + 1))), ages=ages),)
    aged = None if how == "total" else np.arange(stop - 1, -1, -1, dtype=np.float64)
    shift = float(np.log(MONTH_N_DAYS) - (np.log(SECONDS_PER_HOUR) if DURATION in processes else 0.0))
    if how == "ratio":
        below = tuple(name for name in processes if name != DURATION)
        return (LogSum(processes, 0, stop, ages=aged), LogSum(below, 0, stop, ages=aged, coefficient=-1.0))
    return (LogSum(processes, 0, stop, shift=shift, ages=aged),)


class Volumes(NamedTuple):
    """What one platform's draws amount to, each of shape (T, n), in float64."""

    uploads_per_day: Floats
    mean_duration_seconds: Floats
    upload_hours_per_day: Floats
    stock_videos: Floats
    stock_hours: Floats


# Base normals and processes of a series, and the assumption that gives each its size; `{kind}` is the class.
ASSUMPTION_OF = {
    "users": "prior_users_level",
    "users_growth": "prior_users_growth",
    "users_ramp": "prior_users_ramp",
    "gp:users": "prior_users_drift",
    "rate": "prior_rate_level_platform",
    "rate_growth": "prior_rate_growth_platform",
    "gp:rate": "prior_rate_drift",
    "duration": "prior_duration_level_platform",
    "duration_growth": "prior_duration_growth_platform",
    "gp:duration": "prior_duration_drift",
    "daily_share": "prior_daily_share_platform",
    "shared:rate": "prior_rate_level",
    "shared:rate_growth": "prior_rate_growth",
    "shared:duration_growth": "prior_duration_growth",
    "shared:early_loss": "early_loss_share",
    "shared:late_hazard": "late_loss_hazard",
}


def assumption_of(kind: str, key: str) -> tuple[str, str]:
    """Return (assumption name or event id, scope) of one component of an attribution.

    Args:
        kind: shared, own or gp.
        key: As `attribution.Share.key`.
    """
    if kind == "shared":
        name, _, group = key.partition(":")
        if not group:
            return ASSUMPTION_OF[f"shared:{name}"], "all"
        pooled = {"rate": "prior_rate_level_class", "duration": f"prior_duration_level_{group}"}
        return pooled.get(name, "prior_daily_share_level"), group
    platform, _, name = key.partition(":")
    if name.startswith("event:"):
        return name.split(":")[1], platform
    return ASSUMPTION_OF[f"gp:{name}" if kind == "gp" else name], platform


def theta_sds(priors: Mapping[str, Split]) -> dict[str, float]:
    """Return, by the name of every size that the fit may scale, the prior sd of the log of its multiplier."""
    return {name: split.log_sd for name, split in priors.items() if name.startswith("obs_") or "_drift" in name}


def widened(priors: Mapping[str, Split], factor: float) -> dict[str, Split]:
    """Return the priors with every uncertainty multiplied; the size of a drift is itself an uncertainty."""
    return {
        name: Split(split.distribution, *(value * factor for value in split[1:]))
        if name.endswith("_drift")
        else split.widened(factor)
        for name, split in priors.items()
    }


def widened_rows(rows: Sequence[Row], factor: float) -> list[Row]:
    """Return the observations with noise, bias and offset multiplied."""
    return [
        replace(
            row,
            sd=row.sd * factor,
            bias_sd=row.bias_sd * factor,
            extra_sd=row.extra_sd * factor,
            offset=None if row.offset is None else (row.offset[0] * factor, row.offset[1] * factor),
            offset_sd=row.offset_sd * factor,
        )
        for row in rows
    ]


def volumes(draws: Mapping[str, Floats], platform: Platform, loss: Loss) -> Volumes:
    """Return uploads, hours and cumulative public totals of one platform from draws of its processes: hours are uploads times duration in each draw."""
    uploads = np.exp(draws[USERS] + draws[RATE])
    if platform.ended is not None:
        uploads[platform.ended - platform.launched :] = 0.0
    duration = np.exp(draws[DURATION])
    hours = uploads * duration / SECONDS_PER_HOUR
    early, hazard = loss.early.at(draws[EARLY][0]), loss.hazard.at(draws[HAZARD][0])
    return Volumes(
        uploads,
        duration,
        hours,
        public_total(uploads, early_loss=early, late_hazard=hazard),
        public_total(hours, early_loss=early, late_hazard=hazard),
    )


def part_volumes(
    whole: Volumes, platform: Platform, part: Platform, share: Floats, seconds: Floats, loss: tuple[Floats, Floats]
) -> Volumes:
    """Return the volumes of a part of a platform: a share of its uploads, of a length of its own.

    Args:
        whole: Of the platform, each of shape (T, n).
        platform: The platform.
        part: The part; its months are cut from the platform's.
        share: Share of uploads, shape (n,).
        seconds: Mean length, shape (n,).
        loss: Early loss share and yearly hazard, each of shape (n,).
    """
    uploads = whole.uploads_per_day[part.launched - platform.launched :] * share
    duration = np.broadcast_to(seconds, uploads.shape)
    hours = uploads * duration / SECONDS_PER_HOUR
    early, hazard = loss
    return Volumes(
        uploads,
        np.array(duration),
        hours,
        public_total(uploads, early_loss=early, late_hazard=hazard),
        public_total(hours, early_loss=early, late_hazard=hazard),
    )
