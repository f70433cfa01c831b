"""Predictive distributions of ratings in the order of release, and their scores."""

from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import numpy as np
import scoringrules
from scipy import stats

from moat.link.effects import independent
from moat.link.field import Field, Flags
from moat.link.mixed import Floats, Groups, Indices, reml, sums_of_known

PREDICTORS = ("date", "owning", "volume", "size", "size_and_volume", "company")
FEWEST_ENTRIES = 60  # entries known before the first forecast
GROWTH = 1.1  # standard deviations are fitted again when the known entries have grown by this factor
FEWEST_OF_BOARD = 5


@dataclass(frozen=True)
class Predicted:
    """Predictive distributions of ratings as published, Student's t, shape (n,); NaN where too little was known.

    Attributes:
        mean: Centres, in points.
        scale: Scales, in points, the rating's own standard error included.
        df: Degrees of freedom: companies known at the time, less one.
        fits: Logarithms of the standard deviations fitted on some days, by day.
    """

    mean: Floats
    scale: Floats
    df: Floats
    fits: dict[float, Floats] = attribute(default_factory=dict)

    def log_score(self, rating: Floats) -> Floats:
        """Return the logarithm of the predictive density at the rating; more is better."""
        return -np.asarray(scoringrules.logs_t(rating, self.df, self.mean, self.scale), dtype=np.float64)

    def crps(self, rating: Floats) -> Floats:
        """Return the continuous ranked probability score, in points; less is better."""
        return np.asarray(scoringrules.crps_t(rating, self.df, self.mean, self.scale), dtype=np.float64)

    def pit(self, rating: Floats) -> Floats:
        """Return the probability of a rating up to the one seen: uniform where the forecasts are calibrated."""
        return np.asarray(stats.t.cdf(rating, self.df, self.mean, self.scale))

    def quantiles(self, levels: tuple[float, ...]) -> Floats:
        """Return quantiles, shape (n, n_levels)."""
        return np.asarray(self.mean[:, None] + self.scale[:, None] * stats.t.ppf(levels, self.df[:, None]))

    def chance_above(self, rating: Floats, se: Floats) -> Floats:
        """Return the chance of a rating above another one that has a standard error, by t on both spreads together."""
        return np.asarray(stats.t.sf(rating, self.df, self.mean, np.hypot(self.scale, se)))


def columns(predictor: str, field: Field) -> Floats:
    """Return what a predictor knows beside boards, date and controls, shape (n, k); an unknown size counts as the mean."""
    owns = field.owns
    volume = [owns, field.drawn(field.hours.log_hours).mean()]
    known = np.where(field.has_size, field.log_size, np.nanmean(field.log_size))
    size = [known, np.asarray(field.is_funding, dtype=np.float64), np.asarray(~field.has_size, dtype=np.float64)]
    chosen = {
        "date": [], "owning": [owns], "volume": volume, "size": size, "size_and_volume": size + volume, "company": [],
    }[predictor]  # fmt: skip
    return np.column_stack(chosen) if chosen else np.empty((len(owns), 0))


def _design(field: Field, extra: Floats) -> Floats:
    """Return levels and linear trends of the boards, controls and what the predictor adds.

    A square of the date would run away beyond the data.
    """
    levels = np.eye(field.groups.n_spreads)[field.groups.spread]
    return np.hstack([levels, levels * (field.day - field.day.mean())[:, None], field.controls, extra])


def walk(predictor: str, field: Field, like: Predicted | None = None) -> Predicted:
    """Predict each entry from those of models released before its day.

    Args:
        predictor: What the forecast knows.
        field: The entries.
        like: Forecasts of nearly the same entries: the fits start from their standard deviations.
    """
    x = _design(field, columns(predictor, field))
    n_boards = field.groups.n_spreads
    starts = {day: log_sd for day, log_sd in like.fits.items() if len(log_sd) == n_boards + 2} if like else {}
    fits: dict[float, Floats] = {}
    days: list[float] = []
    log_sds: list[Floats] = []
    kept: list[Flags] = []
    predicted = np.full(len(x), -1)
    n_fitted = 0
    for day in np.unique(field.day):
        known = field.day < day
        counts = np.bincount(field.groups.spread[known], minlength=n_boards)
        new = (field.day == day) & (counts[field.groups.spread] >= FEWEST_OF_BOARD)
        if known.sum() < FEWEST_ENTRIES or not new.any():
            continue
        # Columns that are no combinations of others on some entries are none on more entries.
        kept.append(kept[-1] if kept and kept[-1].all() else _is_independent(x[known]))
        if known.sum() >= GROWTH * n_fitted:
            before = [first for first in starts if first <= day]
            start = starts[max(before)] if before else next(reversed(fits.values()), None)
            fits[day] = _fitted(field, x[:, kept[-1]], known, start)
            n_fitted = int(known.sum())
        predicted[new] = len(days)
        days.append(day)
        log_sds.append(fits[max(fits)])
    mean, scale, df = np.full((3, len(x)), np.nan)
    found = Predicted(mean, scale, df, fits)
    if days:
        new, known = np.flatnonzero(predicted >= 0), field.day < np.array(days)[:, None]
        at = _predict(field, x, known, np.array(kept), np.array(log_sds), new, predicted[new], predictor)
        found.mean[new], found.scale[new], found.df[new] = at.mean, at.scale, at.df
    return found


def ahead(predictor: str, field: Field, entries: Field) -> Predicted:
    """Predict entries that are not listed yet from all that are.

    Args:
        predictor: What the forecast knows.
        field: The entries of today.
        entries: Entries to come, with companies and boards numbered as in `field`; their models are new, their ratings unknown.
    """
    joined: dict[str, Any] = {name: np.concatenate([values, entries.by_entry[name]]) for name, values in field.by_entry.items()}
    both = replace(field, **joined)
    x = _design(both, columns(predictor, both))
    known = np.arange(len(x)) < len(field.rating)
    kept = _is_independent(x[known])
    log_sd = _fitted(both, x[:, kept], known, None)
    new = np.flatnonzero(~known)
    return _predict(both, x, known[None], kept[None], log_sd[None], new, np.zeros_like(new), predictor)


def _is_independent(x: Floats) -> Flags:
    """Return whether each column is no combination of columns before it."""
    return np.isin(np.arange(x.shape[1]), independent(x))


def _fitted(field: Field, x: Floats, known: Flags, start: Floats | None) -> Floats:
    """Return the logarithms of the standard deviations from what is known; a board without entries keeps the start."""
    groups = field.groups
    part = Groups(groups.company[known], groups.model[known], groups.spread[known], groups.se[known])
    part.__dict__["n_spreads"] = groups.n_spreads  # of all boards
    return reml(part, x[known], field.rating[known], start).v.log_sd


def _predict(
    field: Field, x: Floats, known: Flags, kept: Flags, log_sd: Floats, new: Indices, day: Indices, predictor: str
) -> Predicted:
    """Return predictive distributions of new entries given those known on their day, all days at once.

    Args:
        field: All entries.
        x: Design, shape (n_entries, n_columns).
        known: Whether each entry is known on each day, shape (n_days, n_entries).
        kept: Which columns the known entries can tell apart, shape (n_days, n_columns).
        log_sd: Logarithms of standard deviations on each day.
        new: The entries to predict, shape (n_new,).
        day: The day of each.
        predictor: What the forecast knows.
    """
    k, groups, variances = x.shape[1], field.groups, np.exp(2 * log_sd)
    gram, sums = sums_of_known(groups, np.column_stack([x, field.rating]), variances, known)
    information = np.where(kept[:, :, None] & kept[:, None, :], gram[:, :k, :k], np.eye(k))
    cov = np.linalg.inv(information)
    beta = np.einsum("dij,dj->di", cov, gram[:, :k, k] * kept)
    of_company, of_model = variances[day, 0], variances[day, 1]
    rows = x[new]
    mean = np.einsum("ij,ij->i", rows, beta[day])
    variance = of_company + of_model + variances[day, 2 + groups.spread[new]] + groups.se[new] ** 2
    if predictor == "company":
        shared = of_company[:, None] * sums[day, groups.company[new]]
        mean += shared[:, k] - np.einsum("ij,ij->i", shared[:, :k], beta[day])
        variance -= of_company * shared[:, -1]
        rows = rows - shared[:, :k]
    rows = rows * kept[day]
    scale = np.sqrt(variance + np.einsum("ij,ijk,ik->i", rows, cov[day], rows))
    return Predicted(mean, scale, (sums[:, :, -1] > 0).sum(axis=1)[day] - 1.0)


def gain_interval(gains: Floats, company: Indices, seed: int, n_boot: int = 2_000) -> tuple[float, float, float]:
    """Return the mean gain a forecast and its 90 % interval, from a bootstrap over companies.

    Args:
        gains: Differences of log scores, shape (n,).
        company: Company of each, shape (n,).
        seed: Of the bootstrap.
        n_boot: Resamples.
    """
    _, index = np.unique(company, return_inverse=True)
    totals, counts = np.bincount(index, weights=gains), np.bincount(index)
    drawn = np.random.default_rng([seed, 61]).integers(len(totals), size=(n_boot, len(totals)))
    low, high = np.quantile(totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.05, 0.95])
    return float(gains.mean()), float(low), float(high)
