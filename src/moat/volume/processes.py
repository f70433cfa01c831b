"""Log processes on a monthly grid, and what observations of them are functions of.

A *series* is a set of named log processes (say users, uploads per user, seconds). Each process is a mean, plus loadings on
base normals shared by several series, plus loadings on its own, plus a Matern-3/2 Gaussian process. An *observation* is a sum
of log-sums of those processes, with a bias shared by its source, noise, and an *offset* known only to lie in an interval: how
far a round number was passed, how a printed rate was rounded. Formulas are in `docs/method.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky
from scipy.special import ndtr
from scipy.stats import norm

from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats

JITTER = 1e-9  # on the diagonal of a Matern matrix before its Cholesky factor
LONGEST = 300  # months; matrices of shorter series are leading blocks of one of this size


@dataclass(frozen=True)
class Process:
    """One log process of a series on T months (T = 1 for a constant).

    Attributes:
        name: What it is called in observations.
        mean: Its prior mean, shape (T,).
        shared: Loadings on base normals known by name to all series, each of shape (T,).
        own: Loadings on base normals of this series alone, each of shape (T,).
        gp_sd: Standard deviation of its Gaussian-process drift; 0 for none.
        gp_length: Length scale of that drift, months.
        gp_names: Hyperparameters that multiply gp_sd and gp_length.
    """

    name: str
    mean: Floats
    shared: Mapping[str, Floats] = field(default_factory=dict)
    own: Mapping[str, Floats] = field(default_factory=dict)
    gp_sd: float = 0.0
    gp_length: float = 1.0
    gp_names: tuple[str, str] = ("gp_sd", "gp_length")


@dataclass(frozen=True)
class Series:
    """Several processes that belong together: a thing that is observed."""

    key: str
    processes: tuple[Process, ...]

    @cached_property
    def spans(self) -> dict[str, slice]:
        """Where each process lies in the state vector."""
        ends = np.cumsum([len(process.mean) for process in self.processes])
        return {
            process.name: slice(int(end) - len(process.mean), int(end)) for process, end in zip(self.processes, ends, strict=True)
        }

    @cached_property
    def mean(self) -> Floats:
        """The prior mean of the state vector, shape (S,)."""
        return np.concatenate([process.mean for process in self.processes])

    def columns(self, names: Sequence[str], *, shared: bool) -> Floats:
        """Return the loadings on the named base normals, shape (S, len(names))."""
        out = np.zeros((len(self.mean), len(names)))
        for process in self.processes:
            loadings = process.shared if shared else process.own
            for j, name in enumerate(names):
                if name in loadings:
                    out[self.spans[process.name], j] = loadings[name]
        return out

    @cached_property
    def own_names(self) -> tuple[str, ...]:
        """The base normals of this series, without its Gaussian processes."""
        return tuple(dict.fromkeys(name for process in self.processes for name in process.own))

    @cached_property
    def drifts(self) -> tuple[tuple[Process, slice], ...]:
        """The processes that have a Gaussian-process drift, with their place."""
        return tuple((process, self.spans[process.name]) for process in self.processes if process.gp_sd > 0)


class Loss(NamedTuple):
    """What share of a month's additions is still there later: an early loss, then a constant yearly hazard.

    `early` and `hazard` are functions of the base normals that the constant processes `early_name` and `hazard_name`
    carry, so that the data can move them.
    """

    early: Split
    hazard: Split
    early_name: str = "early_loss"
    hazard_name: str = "late_hazard"

    def log_survival(self, z_early: Floats | float, z_hazard: Floats | float, age_months: Floats) -> Floats:
        """Return log((1 - early) exp(-hazard age / 12)), by broadcasting."""
        return np.asarray(np.log1p(-self.early.at(z_early)) - self.hazard.at(z_hazard) * age_months / 12)


class LogSum(NamedTuple):
    """log of a sum over months [start, stop) of exp(sum of processes + log survival), plus `shift`.

    Attributes:
        processes: Names of the processes that are added.
        start: First month, as an index of the grid.
        stop: One past the last month.
        shift: Added to the result; minus the log of the number of months makes it the log of a mean.
        ages: Age in months of each month's additions when seen, shape (stop - start,); None if nothing is lost.
        coefficient: Multiplies the result; -1 makes a denominator.
    """

    processes: tuple[str, ...]
    start: int
    stop: int
    shift: float = 0.0
    ages: Floats | None = None
    coefficient: float = 1.0


@dataclass(frozen=True)
class Row:
    """One observation: value = sum of parts + bias of its source + noise - offset.

    Attributes:
        key: Its identity; names its random numbers.
        series: The series it is about.
        value: Stated value, natural log.
        parts: What was observed.
        source: Rows with the same source share one bias.
        sd: Noise, log scale.
        bias_sd: Sd of the shared bias, log scale.
        extra_sd: Further independent noise that no multiplier touches: rounding of a word, an approximate unit.
        offset: None for a plain point; else (low, high) limits of the offset.
        offset_sd: Sd of the half- or full normal the offset comes from; infinite for a flat one.
        noise_name: The hyperparameter that multiplies sd.
        bias_name: The hyperparameter that multiplies bias_sd.
    """

    key: str
    series: str
    value: float
    parts: tuple[LogSum, ...]
    source: str
    sd: float
    bias_sd: float
    extra_sd: float = 0.0
    offset: tuple[float, float] | None = None
    offset_sd: float = float("inf")
    noise_name: str = "noise"
    bias_name: str = "bias"

    @property
    def is_linear(self) -> bool:
        """Whether it is about single months without losses, so that there is no sum under the logarithm."""
        return all(part.stop - part.start == 1 and part.ages is None for part in self.parts)

    @property
    def moments(self) -> tuple[float, float] | None:
        """Mean and variance of the offset, or None where they do not exist (a hard limit)."""
        if self.offset is None:
            return 0.0, 0.0
        low, high = self.offset
        if np.isinf(self.offset_sd):
            return None if np.isinf(high - low) else ((low + high) / 2, (high - low) ** 2 / 12)
        # mean and variance of a zero-centred normal truncated to [low, high]
        a, b = low / self.offset_sd, high / self.offset_sd
        mass = ndtr(b) - ndtr(a)
        pa, pb = norm.pdf(a), norm.pdf(b)
        first = (pa - pb) / mass
        ends = (a * pa if np.isfinite(a) else 0.0) - (b * pb if np.isfinite(b) else 0.0)
        return float(self.offset_sd * first), float(self.offset_sd**2 * (1 + ends / mass - first**2))


@lru_cache(maxsize=8)
def _matern_of(n_months: int, length: float) -> tuple[Floats, Floats]:
    """Return the Matern-3/2 correlation of consecutive months and its derivative by the log of the length."""
    lag = np.abs(np.subtract.outer(np.arange(n_months), np.arange(n_months)))
    a = np.sqrt(3.0) * np.arange(n_months) / length
    value, slope = (1 + a) * np.exp(-a), a**2 * np.exp(-a)
    return value[lag], slope[lag]


@lru_cache(maxsize=64)
def _root_of(n_months: int, length: float) -> Floats:
    """Return the lower Cholesky factor of a Matern-3/2 matrix."""
    return np.asarray(cholesky(_matern_of(n_months, length)[0] + JITTER * np.eye(n_months), lower=True, check_finite=False))


def matern(n_months: int, length: float) -> Floats:
    """Return the Matern-3/2 correlation matrix of consecutive months, shape (n_months, n_months).

    It is a leading block of a larger one, which is computed once for each length.
    """
    return _matern_of(max(n_months, LONGEST), length)[0][:n_months, :n_months]


def matern_slope(n_months: int, length: float) -> Floats:
    """Return the derivative of `matern` by the log of the length, same shape."""
    return _matern_of(max(n_months, LONGEST), length)[1][:n_months, :n_months]


def matern_root(n_months: int, length: float) -> Floats:
    """Return the lower Cholesky factor of `matern`, same shape: a leading block of the factor of a larger one."""
    return _root_of(max(n_months, LONGEST), length)[:n_months, :n_months]


def evaluate(series: Series, row: Row, z: Floats, loss: Loss | None) -> tuple[float, Floats]:
    """Return f(z) and its gradient, shape (S,). The gradient of a log-sum is the softmax weight of each month."""
    total, gradient = 0.0, np.zeros(len(z))
    for part in row.parts:
        months = np.arange(part.start, part.stop)
        exponent = np.zeros(len(months))
        places = []
        for name in part.processes:
            span = series.spans[name]
            place = span.start + np.minimum(months, span.stop - span.start - 1)
            exponent += z[place]
            places.append(place)
        if part.ages is not None and loss is not None:
            at_early, at_hazard = series.spans[loss.early_name].start, series.spans[loss.hazard_name].start
            exponent += loss.log_survival(z[at_early], z[at_hazard], part.ages)
        top = exponent.max()
        weight = np.exp(exponent - top)
        value = top + np.log(weight.sum())
        weight *= part.coefficient / weight.sum()
        for place in places:
            np.add.at(gradient, place, weight)
        if part.ages is not None and loss is not None:
            early = float(loss.early.at(z[at_early]))
            gradient[at_early] -= weight.sum() * loss.early.slope(z[at_early]) / (1 - early)
            gradient[at_hazard] -= weight @ part.ages * loss.hazard.slope(z[at_hazard]) / 12
        total += part.coefficient * (value + part.shift)
    return total, gradient


def evaluate_many(series: Series, row: Row, z: Floats, loss: Loss | None) -> Floats:
    """Return f(z) of many states at once: z of shape (S, n), result (n,)."""
    total = np.zeros(z.shape[1])
    for part in row.parts:
        exponent = np.zeros((part.stop - part.start, z.shape[1]))
        for name in part.processes:
            span = series.spans[name]
            first = span.start + min(part.start, span.stop - span.start - 1)  # a constant process has one month
            exponent += z[first : min(first + len(exponent), span.stop)]
        if part.ages is not None and loss is not None:
            early, hazard = (z[series.spans[name].start] for name in (loss.early_name, loss.hazard_name))
            exponent += loss.log_survival(early, hazard, part.ages[:, None])
        top = exponent.max(axis=0)
        exponent -= top
        np.exp(exponent, out=exponent)
        total += part.coefficient * (top + np.log(exponent.sum(axis=0)) + part.shift)
    return total
