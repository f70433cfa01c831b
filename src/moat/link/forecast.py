"""Predictive distributions of ratings in the order of release, and their scores."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scoringrules
from scipy import stats

from moat.link.effects import independent
from moat.link.field import Field, Flags
from moat.link.mixed import Covariance, Floats, Groups, Indices, Projection, reml

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
    """

    mean: Floats
    scale: Floats
    df: Floats

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


def walk(predictor: str, field: Field) -> Predicted:
    """Predict each entry from those of models released before its day."""
    x = _design(field, columns(predictor, field))
    found = Predicted(*np.full((3, len(x)), np.nan))
    n_fitted, log_sd = 0, None
    for day in np.unique(field.day):
        known, new = field.day < day, field.day == day
        if known.sum() < FEWEST_ENTRIES:
            continue
        counts = np.bincount(field.groups.spread[known], minlength=field.groups.n_spreads)
        new &= counts[field.groups.spread] >= FEWEST_OF_BOARD
        if not new.any():
            continue
        if log_sd is None or known.sum() >= GROWTH * n_fitted:
            log_sd, n_fitted = _fitted(field, x, known, log_sd), int(known.sum())
        at = _predict(
            field, x, known, (x[new], field.groups.spread[new], field.groups.company[new], field.se[new]), log_sd, predictor
        )
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
    new = ~known
    log_sd = _fitted(both, x, known, None)
    parts = (x[new], both.groups.spread[new], both.groups.company[new], both.se[new])
    return _predict(both, x, known, parts, log_sd, predictor)


def _part(groups: Groups, chosen: Flags) -> Groups:
    """Return some entries of the groups, their companies and models numbered as before."""
    return Groups(groups.company[chosen], groups.model[chosen], groups.spread[chosen], groups.se[chosen])


def _fitted(field: Field, x: Floats, known: Flags, start: Floats | None) -> Floats:
    """Return the logarithms of the standard deviations from what is known; a board without entries keeps the start."""
    part = x[known]
    found = reml(
        _padded(_part(field.groups, known), field.groups.n_spreads), part[:, independent(part)], field.rating[known], start
    )
    return found.v.log_sd


def _padded(groups: Groups, n_spreads: int) -> Groups:
    """Return the groups with as many residual spreads as all boards have."""
    padded = Groups(groups.company, groups.model, groups.spread, groups.se)
    padded.__dict__["n_spreads"] = n_spreads
    return padded


def _predict(
    field: Field, x: Floats, known: Flags, new: tuple[Floats, Indices, Indices, Floats], log_sd: Floats, predictor: str
) -> Predicted:
    """Return predictive distributions of new entries given the known ones."""
    part = x[known]
    kept = independent(part)
    groups = _padded(_part(field.groups, known), field.groups.n_spreads)
    at = Projection(Covariance(groups, log_sd), part[:, kept], field.rating[known])
    rows, spread, company, se = new
    rows = rows[:, kept]
    mean = rows @ at.beta
    variances = at.v.variances
    variance = variances[0] + variances[1] + variances[2:][spread] + se**2
    if predictor == "company":
        shared = variances[0] * (groups.company[:, None] == company[None, :]).astype(np.float64)
        solved = at.v.solve(shared)
        mean = mean + shared.T @ at.py
        rows = rows - solved.T @ at.x
        variance = variance - (shared * solved).sum(axis=0)
    scale = np.sqrt(variance + np.einsum("ij,jk,ik->i", rows, at.cov, rows))
    return Predicted(mean, scale, np.full(len(mean), len(np.unique(groups.company)) - 1.0))


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
