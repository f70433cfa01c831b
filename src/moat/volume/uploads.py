"""The shape of a platform where people post video: users, uploads per user, seconds per upload, and what is lost later.

A platform may hold classes of length, short beside long video: each has uploads per user, seconds and losses of its own, and
the platform's totals are sums over them.

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
from moat.volume.accumulate import MONTH_N_DAYS
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
    "duration_new": ((USERS, RATE, DURATION), "seconds"),
    "duration_stock": ((USERS, RATE, DURATION), "ratio"),
    "videos_public": ((USERS, RATE), "public"),
    "hours_public": ((USERS, RATE, DURATION), "public"),
    "videos_uploaded": ((USERS, RATE), "total"),
    "hours_uploaded": ((USERS, RATE, DURATION), "total"),
    "cohort_public": ((USERS, RATE), "cohort"),
    "uploads_odds": ((USERS, RATE), "odds"),
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
        kind: Its class; the prior of durations, the pooled upload rate and what is lost depend on it.
        launched: First month, index from EPOCH_YEAR.
        ended: One past the last month with uploads; None while it is open.
        events: Declared changes.
        lengths: Further classes of length it holds, each with a class and a first month of its own.
    """

    key: str
    kind: str
    launched: int
    ended: int | None = None
    events: tuple[Event, ...] = ()
    lengths: tuple["Platform", ...] = ()

    @property
    def suffixes(self) -> dict[str, str]:
        """The suffix of the processes of each class of length, by its key; the platform's own class has none."""
        return {self.key: ""} | {item.key: f"@{item.key}" for item in self.lengths}


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
    """Return how months fade, from the assumptions on early and late losses."""
    months = _take(priors, "prior_early_loss_months").p50
    return Loss(_take(priors, "early_loss_share"), _take(priors, "late_loss_hazard"), EARLY, HAZARD, months)


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

    def ramp(n: int) -> Floats:
        """Return the part of the starting gap that remains in each of the first months."""
        return np.asarray(np.exp(-np.arange(n) / prior("ramp_months").p50))

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

    level, growth, start = prior("users_level"), prior("users_growth"), prior("users_ramp")
    users = Process(
        USERS,
        level.p50 + growth.p50 * years + start.p50 * ramp(n_months),
        own={
            "users": level.sd * ones,
            "users_growth": growth.sd * years,
            "users_ramp": start.sd * ramp(n_months),
            **events(USERS),
        },
        **drift("users"),
    )

    def of_length(item: Platform, suffix: str) -> tuple[Process, ...]:
        """Return uploads per user, seconds and losses of one class of length; one that opens later starts small."""
        begin = item.launched - platform.launched
        since, some = years[begin:], ones[begin:]
        level, growth = prior("rate_level"), prior("rate_growth")
        of_class, of_platform, own_growth = prior("rate_level_class"), prior("rate_level_platform"), prior("rate_growth_platform")
        # A further class is posted by users of the whole platform, so that its rate is not one of its class of platforms.
        late = {f"users_ramp{suffix}": start.sd * ramp(len(some)), f"rate_class{suffix}": of_class.sd * some} if suffix else {}
        rate = Process(
            RATE + suffix,
            level.p50 + of_class.p50 + of_platform.p50 + (growth.p50 + own_growth.p50) * since
            + (start.p50 * ramp(len(some)) if suffix else 0.0),
            shared={"rate": level.sd * some, "rate_growth": growth.sd * since}
            | ({} if suffix else {f"rate:{item.kind}": of_class.sd * some}),
            own={f"rate{suffix}": of_platform.sd * some, f"rate_growth{suffix}": own_growth.sd * since, **late}
            | ({} if suffix else events(RATE)),
            first=begin,
            **drift("rate"),
        )  # fmt: skip
        level, growth = prior(f"duration_level_{item.kind}"), prior("duration_growth")
        of_platform, own_growth = prior("duration_level_platform"), prior("duration_growth_platform")
        duration = Process(
            DURATION + suffix,
            level.p50 + of_platform.p50 + (growth.p50 + own_growth.p50) * since,
            shared={f"duration:{item.kind}": level.sd * some, "duration_growth": growth.sd * since},
            own={f"duration{suffix}": of_platform.sd * some, f"duration_growth{suffix}": own_growth.sd * since}
            | ({} if suffix else events(DURATION)),
            first=begin,
            **drift("duration"),
        )
        pooled = prior("loss_class_share").p50  # of the variance of a loss
        losses = (
            Process(
                name + suffix,
                np.zeros(1),
                shared={f"{name}:{item.kind}": np.full(1, np.sqrt(pooled))},
                own={name + suffix: np.full(1, np.sqrt(1 - pooled))},
            )
            for name in (EARLY, HAZARD)
        )
        return rate, duration, *losses

    level, of_platform = prior("daily_share_level"), prior("daily_share_platform")
    daily = Process(
        DAILY,
        np.array([level.p50 + of_platform.p50]),
        shared={f"daily_share:{platform.kind}": np.array([level.sd])},
        own={"daily_share": np.array([of_platform.sd])},
    )
    rate, duration, *losses = of_length(platform, "")
    further = (process for item in platform.lengths for process in of_length(item, f"@{item.key}"))
    return Series(platform.key, (users, rate, duration, daily, *losses, *further))


def parts_of(
    kind: str, platform: Platform, last_month: int, period: tuple[date, date], seen_on: date | None = None, of: str | None = None
) -> tuple[LogSum, ...] | None:
    """Return what an observation of a kind measures, or None where its period does not meet the platform's months.

    Args:
        kind: One of KINDS.
        platform: The series.
        last_month: Last month of the grid.
        period: First and last day the statement is about. Months before launch or after the end are cut off.
        seen_on: For a cohort, the day it was counted; otherwise the period's last day.
        of: Key of a class of length the statement is about; the whole platform without it.
    """
    processes, how = KINDS[kind]
    first, last = (month_index(day) for day in period)
    suffixes = platform.suffixes
    about = next((item for item in platform.lengths if item.key == of), platform)
    classes = tuple(suffixes.values()) if about is platform else (suffixes[about.key],)
    stop = min(last, last_month, (platform.ended or last_month + 1) - 1) + 1 - platform.launched
    begin = max(first, about.launched) - platform.launched
    if stop <= begin or (about is not platform and RATE not in processes):
        return None
    n_days = (period[1] - period[0]).days + 1
    below = tuple(name for name in processes if name != DURATION)
    middle = (begin + stop - 1) // 2
    if how == "middle" or (how == "seconds" and len(classes) == 1):
        return (LogSum(processes if how == "middle" else (DURATION,), middle, middle + 1, classes=classes[:1]),)
    if how == "odds":
        others = tuple(suffix for suffix in suffixes.values() if suffix not in classes)
        return (LogSum(processes, begin, stop, classes=classes), LogSum(processes, begin, stop, classes=others, coefficient=-1.0))
    if how == "mean":
        hours = np.log(SECONDS_PER_HOUR) if DURATION in processes else 0.0
        return (LogSum(processes, begin, stop, shift=float(-np.log(stop - begin) - hours), classes=classes),)
    if how == "cohort":
        seen = month_index(seen_on or period[1]) - platform.launched
        ages = np.maximum(seen - np.arange(begin, stop), 0).astype(np.float64)
        return (LogSum(processes, begin, stop, shift=float(np.log(n_days / (last - first + 1))), ages=ages, classes=classes),)
    if how == "seconds":
        whole = LogSum(processes, middle, middle + 1, classes=classes)
        return (whole, LogSum(below, middle, middle + 1, classes=classes, coefficient=-1.0))
    aged = None if how == "total" else np.arange(stop - 1, -1, -1, dtype=np.float64)
    shift = float(np.log(MONTH_N_DAYS) - (np.log(SECONDS_PER_HOUR) if DURATION in processes else 0.0))
    if how == "ratio":
        whole = LogSum(processes, 0, stop, ages=aged, classes=classes)
        return (whole, LogSum(below, 0, stop, ages=aged, coefficient=-1.0, classes=classes))
    return (LogSum(processes, 0, stop, shift=shift, ages=aged, classes=classes),)


# Base normals and processes of a series, and the assumption that gives each its size; `{kind}` is the class.
ASSUMPTION_OF = {
    "users": "prior_users_level",
    "users_growth": "prior_users_growth",
    "users_ramp": "prior_users_ramp",
    "gp:users": "prior_users_drift",
    "rate": "prior_rate_level_platform",
    "rate_class": "prior_rate_level_class",
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
    "early_loss": "early_loss_share",
    "late_hazard": "late_loss_hazard",
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
        pooled = {
            "rate": "prior_rate_level_class",
            "duration": f"prior_duration_level_{group}",
            "daily_share": "prior_daily_share_level",
        }
        return pooled.get(name) or ASSUMPTION_OF[f"shared:{name}"], group
    platform, _, name = key.partition(":")
    if name.startswith("event:"):
        return name.split(":")[1], platform
    name, _, length = name.partition("@")
    return ASSUMPTION_OF[f"gp:{name}" if kind == "gp" else name], length or platform


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
