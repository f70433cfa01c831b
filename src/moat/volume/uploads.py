"""The shape of a place where people post video: users, uploads per user, seconds per upload, and what is lost later.

Everything is on the natural log scale and per month. Numbers come from named prior assumptions; this module knows the
form of the model, not the figures and not the places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import numpy as np

from datamoat.errors import ContentError
from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats
from moat.volume.accumulate import MONTH_N_DAYS, stock
from moat.volume.loggaussian import LogSum, Loss, Process, Row, Series

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
    "videos_public": ((USERS, RATE), "stock"),
    "hours_public": ((USERS, RATE, DURATION), "stock"),
    "videos_uploaded": ((USERS, RATE), "total"),
    "hours_uploaded": ((USERS, RATE, DURATION), "total"),
    "cohort_public": ((USERS, RATE), "cohort"),
}


class Event(NamedTuple):
    """A declared change of one process of one series: a step and a bend of the trend, both unknown in size.

    Attributes:
        event_id: Names its random numbers.
        process: USERS, RATE or DURATION.
        month: Month index from EPOCH_YEAR.
        step_sd: Prior sd of the step, log scale.
        slope_sd: Prior sd of the change of yearly growth over the 30 months after.
    """

    event_id: str
    process: str
    month: int
    step_sd: float
    slope_sd: float


class Place(NamedTuple):
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
            f"no assumption is named {name!r}", "data/reference/assumptions.csv", "add it, with a reason, or mend the name."
        )
    return priors[name]


def build_loss(priors: Mapping[str, Split]) -> Loss:
    """Return how months fade, from the two shared assumptions."""
    return Loss(_take(priors, "early_loss_share"), _take(priors, "late_loss_hazard"), EARLY, HAZARD)


def build_series(place: Place, last_month: int, priors: Mapping[str, Split]) -> Series:
    """Return the prior of one place on the months from its launch to `last_month`.

    Raises:
        ContentError: It was launched after `last_month`, or a prior is missing.
    """
    n_months = last_month - place.launched + 1
    if n_months < 1:
        raise ContentError(
            f"{place.key} is launched after the last month of the grid",
            "data/reference/platforms.csv",
            "correct launched_on, or leave it out of the fit.",
        )

    def prior(name: str) -> Split:
        """Return one of this model's priors."""
        return _take(priors, f"prior_{name}")

    ones, age = np.ones(n_months), np.arange(n_months)
    years = (place.launched + age) / 12.0
    ramp = np.exp(-age / prior("ramp_months").p50)

    def events(process: str) -> dict[str, Floats]:
        """Return the two columns of each declared change of a process."""
        columns: dict[str, Floats] = {}
        for event in place.events:
            if event.process == process:
                since = place.launched + age - event.month
                columns[f"event:{event.event_id}:step"] = np.asarray(event.step_sd * (since >= 0), dtype=np.float64)
                columns[f"event:{event.event_id}:slope"] = np.asarray(
                    event.slope_sd / 12 * np.clip(since, 0, 30), dtype=np.float64
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
        gp_sd=prior("users_wander").p50,
        gp_length=prior("users_wander_months").p50,
    )
    level, growth = prior("rate_level"), prior("rate_growth")
    rate = Process(
        RATE,
        level.p50 + growth.p50 * years,
        shared={
            "rate": level.sd * ones,
            f"rate:{place.kind}": prior("rate_level_class").sd * ones,
            "rate_growth": growth.sd * years,
        },
        own={
            "rate": prior("rate_level_platform").sd * ones,
            "rate_growth": prior("rate_growth_platform").sd * years,
            **events(RATE),
        },
        gp_sd=prior("rate_wander").p50,
        gp_length=prior("rate_wander_months").p50,
    )
    level, growth = prior(f"duration_level_{place.kind}"), prior("duration_growth")
    duration = Process(
        DURATION,
        level.p50 + growth.p50 * years,
        shared={f"duration:{place.kind}": level.sd * ones, "duration_growth": growth.sd * years},
        own={
            "duration": prior("duration_level_platform").sd * ones,
            "duration_growth": prior("duration_growth_platform").sd * years,
            **events(DURATION),
        },
        gp_sd=prior("duration_wander").p50,
        gp_length=prior("duration_wander_months").p50,
    )
    daily = Process(
        DAILY,
        np.array([prior("daily_share_level").p50]),
        shared={f"daily_share:{place.kind}": np.array([prior("daily_share_level").sd])},
        own={"daily_share": np.array([prior("daily_share_platform").sd])},
    )
    return Series(place.key, (users, rate, duration, daily, constant(EARLY), constant(HAZARD)))


def parts_of(
    kind: str, place: Place, last_month: int, period: tuple[date, date], seen_on: date | None = None
) -> tuple[LogSum, ...] | None:
    """Return what an observation of a kind measures, or None where its period does not meet the place's months.

    Args:
        kind: One of KINDS.
        place: The series.
        last_month: Last month of the grid.
        period: First and last day the statement is about. Months before launch or after the end are cut off.
        seen_on: For a cohort, the day it was counted; otherwise the period's last day.
    """
    processes, how = KINDS[kind]
    first, last = (month_index(day) for day in period)
    stop = min(last, last_month, (place.ended or last_month + 1) - 1) + 1 - place.launched
    begin = max(first - place.launched, 0)
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
        seen = month_index(seen_on or period[1]) - place.launched
        ages = np.maximum(seen - np.arange(begin, stop), 0).astype(np.float64)
        return (LogSum(processes, begin, stop, shift=float(np.log(n_days / (last - first + 1))), ages=ages),)
    aged = None if how == "total" else np.arange(stop - 1, -1, -1, dtype=np.float64)
    shift = float(np.log(MONTH_N_DAYS) - (np.log(SECONDS_PER_HOUR) if DURATION in processes else 0.0))
    if how == "ratio":
        below = tuple(name for name in processes if name != DURATION)
        return (LogSum(processes, 0, stop, ages=aged), LogSum(below, 0, stop, ages=aged, coefficient=-1.0))
    return (LogSum(processes, 0, stop, shift=shift, ages=aged),)


class Volumes(NamedTuple):
    """What one place's draws amount to, each of shape (T, n), in float64."""

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
    "gp:users": "prior_users_wander",
    "rate": "prior_rate_level_platform",
    "rate_growth": "prior_rate_growth_platform",
    "gp:rate": "prior_rate_wander",
    "duration": "prior_duration_level_platform",
    "duration_growth": "prior_duration_growth_platform",
    "gp:duration": "prior_duration_wander",
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
    place, _, name = key.partition(":")
    if name.startswith("event:"):
        return name.split(":")[1], place
    return ASSUMPTION_OF[f"gp:{name}" if kind == "gp" else name], place


def widened(priors: Mapping[str, Split], factor: float) -> dict[str, Split]:
    """Return the priors with every uncertainty multiplied; the size of a wandering part is itself an uncertainty."""
    return {
        name: Split(split.distribution, *(value * factor for value in split[1:]))
        if name.endswith("_wander")
        else split.widened(factor)
        for name, split in priors.items()
    }


def widened_rows(rows: Sequence[Row], factor: float) -> list[Row]:
    """Return the observations with noise, bias and slack multiplied."""
    return [
        replace(
            row,
            sd=row.sd * factor,
            bias_sd=row.bias_sd * factor,
            extra_sd=row.extra_sd * factor,
            slack=None if row.slack is None else (row.slack[0] * factor, row.slack[1] * factor),
            slack_sd=row.slack_sd * factor,
        )
        for row in rows
    ]


def volumes(draws: Mapping[str, Floats], place: Place, loss: Loss) -> Volumes:
    """Return flow and stock of one place from draws of its processes: hours are uploads times duration in each draw."""
    uploads = np.exp(draws[USERS] + draws[RATE])
    if place.ended is not None:
        uploads[place.ended - place.launched :] = 0.0
    duration = np.exp(draws[DURATION])
    hours = uploads * duration / SECONDS_PER_HOUR
    early, hazard = loss.early.at(draws[EARLY][0]), loss.hazard.at(draws[HAZARD][0])
    return Volumes(
        uploads,
        duration,
        hours,
        stock(uploads, early_loss=early, late_hazard=hazard),
        stock(hours, early_loss=early, late_hazard=hazard),
    )


def part_volumes(
    whole: Volumes, place: Place, part: Place, share: Floats, seconds: Floats, loss: tuple[Floats, Floats]
) -> Volumes:
    """Return the volumes of a part of a place: a share of its uploads, of a length of its own.

    Args:
        whole: Of the place, each of shape (T, n).
        place: The place.
        part: The part; its months are cut from the place's.
        share: Share of uploads, shape (n,).
        seconds: Mean length, shape (n,).
        loss: Early loss share and yearly hazard, each of shape (n,).
    """
    uploads = whole.uploads_per_day[part.launched - place.launched :] * share
    duration = np.broadcast_to(seconds, uploads.shape)
    hours = uploads * duration / SECONDS_PER_HOUR
    early, hazard = loss
    return Volumes(
        uploads,
        np.array(duration),
        hours,
        stock(uploads, early_loss=early, late_hazard=hazard),
        stock(hours, early_loss=early, late_hazard=hazard),
    )


class Statement(NamedTuple):
    """One published figure as staging reads it; see `loggaussian.Row` for the words.

    Attributes:
        key: Its identity.
        place: The place it is about.
        kind: One of KINDS.
        log_value: Natural log of the figure in the kind's unit.
        period_start: First day it is about.
        period_end: Last day it is about.
        seen_on: When it was counted.
        source: Rows of one source share a bias.
        family: users or volume.
        noise_sd: Log noise.
        bias_sd: Log sd of the shared bias.
        extra_sd: Further log noise.
        slack_low: Lower limit of the slack; None with slack_high None is a plain point, else open.
        slack_high: Upper limit of the slack.
        slack_sd: Spread of the slack; None is flat.
    """

    key: str
    place: str
    kind: str
    log_value: float
    period_start: date
    period_end: date
    seen_on: date
    source: str
    family: str
    noise_sd: float
    bias_sd: float
    extra_sd: float
    slack_low: float | None
    slack_high: float | None
    slack_sd: float | None


def build_rows(places: Mapping[str, Place], last_month: int, statements: Sequence[Statement]) -> list[Row]:
    """Return engine rows; statements outside their place's months are left out."""
    rows = []
    for item in statements:
        place = places[item.place]
        parts = parts_of(item.kind, place, last_month, (item.period_start, item.period_end), item.seen_on)
        if parts is None:
            continue
        low = -np.inf if item.slack_low is None else item.slack_low
        high = np.inf if item.slack_high is None else item.slack_high
        has_slack = item.slack_low is not None or item.slack_high is not None
        rows.append(
            Row(
                key=item.key,
                series=place.key,
                value=item.log_value,
                parts=parts,
                source=item.source,
                family=item.family,
                sd=item.noise_sd,
                bias_sd=item.bias_sd,
                extra_sd=item.extra_sd,
                slack=(low, high) if has_slack else None,
                slack_sd=np.inf if item.slack_sd is None else item.slack_sd,
            )
        )
    return rows
