"""Log processes on a monthly grid, and what observations of them are functions of.

A *series* is a set of named log processes (say users, uploads per user, seconds). Each process is a mean, plus loadings on
base normals shared by several series, plus loadings on its own, plus a Matern-3/2 Gaussian process. An *observation* is a sum
of log-sums of those processes, with a bias shared by its source, noise, and an *offset* known only to lie in an interval: how
far a round number was passed, how a printed rate was rounded. Formulas are in `docs/method.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, reduce
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
        first: The month of the series' grid that its first month is.
    """

    name: str
    mean: Floats
    shared: Mapping[str, Floats] = field(default_factory=dict)
    own: Mapping[str, Floats] = field(default_factory=dict)
    gp_sd: float = 0.0
    gp_length: float = 1.0
    gp_names: tuple[str, str] = ("gp_sd", "gp_length")
    first: int = 0


class Strand(NamedTuple):
    """Months of one class whose exponents are summed under a logarithm.

    Attributes:
        months: Which months of those of the log-sum, as a slice of them.
        places: For each process, where its months lie in the state vector; a constant process has one place.
        losses: Where the early loss and the late hazard of the class lie, or None where nothing is lost.
        ages: Age of each month when seen, shape (months,); empty where nothing is lost.
        gone: The part of the early loss that has happened at those ages, same shape.
    """

    months: slice
    places: tuple[slice, ...]
    losses: tuple[int, int] | None
    ages: Floats
    gone: Floats


@dataclass(frozen=True)
class Series:
    """Several processes that belong together: a thing that is observed."""

    key: str
    processes: tuple[Process, ...]
    # by identity of a log-sum and of the losses; both are held, so that no other object can have their identity
    _strands: dict[tuple[int, int], tuple[object, list[Strand]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def spans(self) -> dict[str, slice]:
        """Where each process lies in the state vector."""
        ends = np.cumsum([len(process.mean) for process in self.processes])
        return {
            process.name: slice(int(end) - len(process.mean), int(end)) for process, end in zip(self.processes, ends, strict=True)
        }

    def strands(self, part: "LogSum", loss: "Loss | None") -> list[Strand]:
        """Return what is summed under the logarithm of `part`, one strand for each of its classes that has begun."""
        known = self._strands.get((id(part), id(loss)))
        if known is None:
            known = self._strands[id(part), id(loss)] = (part, loss), self._find_strands(part, loss)
        return known[1]

    def _find_strands(self, part: "LogSum", loss: "Loss | None") -> list[Strand]:
        """Return the strands of a log-sum that has not been seen before."""
        first = {process.name: process.first for process in self.processes}
        found = []
        for of in part.classes:
            names = [name + of if name + of in self.spans else name for name in part.processes]
            start = max(part.start, *(first[name] for name in names))
            if start >= part.stop:
                continue
            places = []
            for name in names:
                span, at = self.spans[name], start - first[name]
                constant = span.stop - span.start == 1
                places.append(span if constant else slice(span.start + at, span.start + at + part.stop - start))
            months, losses, ages, gone = slice(start - part.start, part.stop - part.start), None, np.zeros(0), np.zeros(0)
            if part.ages is not None and loss is not None:
                losses = (self.spans[loss.early_name + of].start, self.spans[loss.hazard_name + of].start)
                ages = part.ages[months]
                gone = loss.gone(ages)
            found.append(Strand(months, tuple(places), losses, ages, gone))
        return found

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
    """What share of a month's additions is still there later: an early loss over some months, and a constant yearly hazard.

    `early` and `hazard` are functions of the base normals that the constant processes `early_name` and `hazard_name`
    carry, so that the data can move them.
    """

    early: Split
    hazard: Split
    early_name: str = "early_loss"
    hazard_name: str = "late_hazard"
    early_months: float = 0.0

    def gone(self, age_months: Floats) -> Floats:
        """Return the part of the early loss that has happened at an age, 1 - exp(-age / early_months)."""
        return np.asarray(-np.expm1(-age_months / self.early_months) if self.early_months > 0 else np.ones_like(age_months))

    def log_survival(self, z_early: Floats | float, z_hazard: Floats | float, age_months: Floats) -> Floats:
        """Return log((1 - early gone(age)) exp(-hazard age / 12)), by broadcasting."""
        return np.asarray(np.log1p(-self.early.at(z_early) * self.gone(age_months)) - self.hazard.at(z_hazard) * age_months / 12)


class LogSum(NamedTuple):
    """log of a sum over classes and months [start, stop) of exp(sum of processes + log survival), plus `shift`.

    A class is a suffix: its processes are those named with it, where there are such, and else the common ones.

    Attributes:
        processes: Names of the processes that are added.
        start: First month, as an index of the grid.
        stop: One past the last month.
        shift: Added to the result; minus the log of the number of months makes it the log of a mean.
        ages: Age in months of each month's additions when seen, shape (stop - start,); None if nothing is lost.
        coefficient: Multiplies the result; -1 makes a denominator.
        classes: Suffixes of the classes that are summed; a class counts from the first month of all its processes.
    """

    processes: tuple[str, ...]
    start: int
    stop: int
    shift: float = 0.0
    ages: Floats | None = None
    coefficient: float = 1.0
    classes: tuple[str, ...] = ("",)


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
        contamination: Probability that it is about something else, and the sd of the further noise it has then.
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
    contamination: tuple[float, float] | None = None

    @property
    def is_linear(self) -> bool:
        """Whether it is about single months without losses, so that there is no sum under the logarithm."""
        return all(part.stop - part.start == 1 and part.ages is None and len(part.classes) == 1 for part in self.parts)

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


@lru_cache(maxsize=8)
def _drift_of(n_months: int, sd: float, length: float) -> Floats:
    """Return a variance times a Matern-3/2 matrix."""
    return np.asarray(sd**2 * _matern_of(n_months, length)[0])


def drift_covariance(n_months: int, sd: float, length: float) -> Floats:
    """Return the covariance of a drift on consecutive months, shape (n_months, n_months): as `matern`, a leading block."""
    return _drift_of(max(n_months, LONGEST), sd, length)[:n_months, :n_months]


def matern_slope(n_months: int, length: float) -> Floats:
    """Return the derivative of `matern` by the log of the length, same shape."""
    return _matern_of(max(n_months, LONGEST), length)[1][:n_months, :n_months]


def matern_root(n_months: int, length: float) -> Floats:
    """Return the lower Cholesky factor of `matern`, same shape: a leading block of the factor of a larger one."""
    return _root_of(max(n_months, LONGEST), length)[:n_months, :n_months]


@lru_cache(maxsize=8192)
def _at_and_slope(split: Split, z: float) -> tuple[float, float]:
    """Return the value of an uncertain number at a standard normal and its slope there: the same for every row of a series."""
    return float(split.at(z)), split.slope(z)


def evaluate(series: Series, row: Row, z: Floats, loss: Loss | None) -> tuple[float, Floats]:
    """Return f(z) and its gradient, shape (S,). The gradient of a log-sum is the softmax weight of each class and month."""
    value, gradient = evaluate_each(series, row, z[None], loss)
    return float(value[0]), gradient[0]


def evaluate_each(series: Series, row: Row, z: Floats, loss: Loss | None) -> tuple[Floats, Floats]:
    """Return f(z) and its gradients at several states: z of shape (n, S), results (n,) and (n, S)."""
    total, gradient = np.zeros(len(z)), np.zeros(z.shape)
    for part in row.parts:
        strands, exponents, lost = series.strands(part, loss), [], []
        for strand in strands:
            exponent = np.zeros((len(z), strand.months.stop - strand.months.start))
            for place in strand.places:
                exponent += z[:, place]
            if strand.losses is not None and loss is not None:
                splits = zip((loss.early, loss.hazard), strand.losses, strict=True)
                found = np.array([[_at_and_slope(split, at) for at in z[:, place].tolist()] for split, place in splits])
                exponent += np.log1p(-found[0, :, :1] * strand.gone) - found[1, :, :1] * strand.ages / 12
                lost.append(found)  # of early loss and late hazard, value and slope in each state
            exponents.append(exponent)
        top = reduce(np.maximum, (exponent.max(axis=1, keepdims=True) for exponent in exponents))
        weights = [np.exp(exponent - top) for exponent in exponents]
        whole = reduce(np.add, (weight.sum(axis=1, keepdims=True) for weight in weights))
        for strand, raw in zip(strands, weights, strict=True):
            weight = raw * (part.coefficient / whole)
            for place in strand.places:
                is_monthly = place.stop - place.start == weight.shape[1]
                gradient[:, place] += weight if is_monthly else weight.sum(axis=1, keepdims=True)
            if strand.losses is not None:
                (at_early, at_hazard), (early, hazard) = strand.losses, lost.pop(0)
                gradient[:, at_early] -= np.vecdot(weight, strand.gone / (1 - early[:, :1] * strand.gone)) * early[:, 1]
                gradient[:, at_hazard] -= np.vecdot(weight, strand.ages) * hazard[:, 1] / 12
        total += part.coefficient * (top + np.log(whole) + part.shift)[:, 0]
    return total, gradient


def evaluate_many(series: Series, rows: Sequence[Row], z: Floats, loss: Loss | None) -> Floats:
    """Return f(z) of several rows at many states: z of shape (S, n), result (rows, n).

    What rows have in common is computed once: sums of processes from the same months on, and what survives to an age.
    """
    total = np.zeros((len(rows), z.shape[1]))
    added: dict[tuple[int, ...], Floats] = {}
    survival = _survival([strand for row in rows for part in row.parts for strand in series.strands(part, loss)], z, loss)
    for k, row in enumerate(rows):
        for part in row.parts:
            exponents = []
            for strand in series.strands(part, loss):
                key, n_months = tuple(place.start for place in strand.places), strand.months.stop - strand.months.start
                if len(added.get(key, ())) < n_months:
                    added[key] = np.zeros((n_months, z.shape[1]))
                    for place in strand.places:
                        added[key] += z[place]
                exponent = added[key][:n_months]
                if strand.losses is not None:
                    ages, logs = survival[strand.losses]
                    exponent = exponent + logs[np.searchsorted(ages, strand.ages)]
                exponents.append(exponent)
            top = reduce(np.maximum, (exponent.max(axis=0) for exponent in exponents))
            whole = reduce(np.add, (np.exp(exponent - top).sum(axis=0) for exponent in exponents))
            total[k] += part.coefficient * (top + np.log(whole) + part.shift)
    return total


def _survival(strands: Sequence[Strand], z: Floats, loss: Loss | None) -> dict[tuple[int, int], tuple[Floats, Floats]]:
    """Return for each pair of losses the ages at which strands are seen, sorted, and the log survival to each, (ages, n)."""
    seen: dict[tuple[int, int], list[Floats]] = {}
    for strand in strands:
        if strand.losses is not None:
            seen.setdefault(strand.losses, []).append(strand.ages)
    found = {}
    for losses, ages in seen.items():
        if loss is not None:
            every = np.unique(np.concatenate(ages))
            found[losses] = every, loss.log_survival(z[losses[0]], z[losses[1]], every[:, None])
    return found
