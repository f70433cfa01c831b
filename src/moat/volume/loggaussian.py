"""A hierarchical log-linear Gaussian model on a monthly grid, solved exactly in observation space.

A *series* is a set of named log processes (say users, uploads per user, seconds). Each process is a mean, plus
loadings on base normals shared by several series, plus loadings on its own, plus a Matern-3/2 process. An
*observation* is a sum of log-sums of those processes, with a bias shared by its source, noise, and a *slack*: a number
known only to lie in an interval (how far a round number was passed, how a printed rate was rounded).

Formulas are in `docs/method.md`. Rows K, series p, months T, draws n. Nothing larger than K x K is factorised, so the
cost grows with K^3: above some 2,000 rows another design is needed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, cholesky
from scipy.optimize import minimize
from scipy.special import logsumexp, ndtr, ndtri
from scipy.stats import norm, qmc

from datamoat.errors import ModelFailedError
from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats, allot, generator, normals

MAX_ROWS = 2_000
FAMILIES = ("users", "volume")  # observations whose noise is scaled together
THETA = (*(f"sd_{family}" for family in FAMILIES), "sd_bias", "gp_sd", "gp_length")
THETA_SD = 0.3  # prior sd of the log multipliers
THETA_MAX = 0.7
Ints: TypeAlias = npt.NDArray[np.intp]
Objective: TypeAlias = Callable[[Floats], float]

LOG_2PI = float(np.log(2 * np.pi))
SWEEPS = 60
ROUNDS, SETTLED = 60, 0.01  # of bringing a draw to its exact readings; it is there within this many noise sds


@dataclass(frozen=True)
class Process:
    """One log process of a series on T months (T = 1 for a constant).

    Attributes:
        name: What it is called in observations.
        mean: Its prior mean, shape (T,).
        shared: Loadings on base normals known by name to all series, each of shape (T,).
        own: Loadings on base normals of this series alone, each of shape (T,).
        gp_sd: Standard deviation of its Matern-3/2 part; 0 for none.
        gp_length: Length scale of that part, months.
    """

    name: str
    mean: Floats
    shared: Mapping[str, Floats] = field(default_factory=dict)
    own: Mapping[str, Floats] = field(default_factory=dict)
    gp_sd: float = 0.0
    gp_length: float = 1.0


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
        """The base normals of this series, without its Matern parts."""
        return tuple(dict.fromkeys(name for process in self.processes for name in process.own))


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
    """One observation: value = sum of parts + bias of its source + noise - slack.

    Attributes:
        key: Its identity; names its random numbers.
        series: The series it is about.
        value: Stated value, natural log.
        parts: What was observed.
        source: Rows with the same source share one bias.
        family: Whose noise multiplier applies, one of FAMILIES.
        sd: Noise, log scale.
        bias_sd: Sd of the shared bias, log scale.
        extra_sd: Further independent noise that no multiplier touches: rounding of a word, an approximate unit.
        slack: None for a plain point; else (low, high) limits of the slack.
        slack_sd: Sd of the half- or full normal the slack comes from; infinite for a flat one.
    """

    key: str
    series: str
    value: float
    parts: tuple[LogSum, ...]
    source: str
    family: str
    sd: float
    bias_sd: float
    extra_sd: float = 0.0
    slack: tuple[float, float] | None = None
    slack_sd: float = float("inf")

    @property
    def is_linear(self) -> bool:
        """Whether it is about single months without losses, so that no sum stands under the logarithm."""
        return all(part.stop - part.start == 1 and part.ages is None for part in self.parts)

    @property
    def moments(self) -> tuple[float, float] | None:
        """Mean and variance of the slack, or None where they do not exist (a hard limit)."""
        if self.slack is None:
            return 0.0, 0.0
        low, high = self.slack
        if np.isinf(self.slack_sd):
            return None if np.isinf(high - low) else ((low + high) / 2, (high - low) ** 2 / 12)
        # mean and variance of a zero-centred normal cut to [low, high]
        a, b = low / self.slack_sd, high / self.slack_sd
        mass = ndtr(b) - ndtr(a)
        pa, pb = norm.pdf(a), norm.pdf(b)
        first = (pa - pb) / mass
        ends = (a * pa if np.isfinite(a) else 0.0) - (b * pb if np.isfinite(b) else 0.0)
        return float(self.slack_sd * first), float(self.slack_sd**2 * (1 + ends / mass - first**2))


class Linear(NamedTuple):
    """Observations linearised at a state: f(z) = offset + sum over series of gradient @ z."""

    gradients: dict[str, Floats]  # series -> (rows of that series, S)
    value: Floats  # f at the state, shape (K,)
    mean: Floats  # f linearised, at the prior mean, shape (K,)


def matern(n_months: int, length: float) -> Floats:
    """Return the Matern-3/2 correlation matrix of consecutive months, shape (n_months, n_months)."""
    a = np.sqrt(3.0) * np.arange(n_months) / length
    row = (1 + a) * np.exp(-a)
    return np.asarray(row[np.abs(np.subtract.outer(np.arange(n_months), np.arange(n_months)))])


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


class Model:
    """Series, observations and what is lost with age, arranged for conditioning.

    Args:
        series: The series; their order does not matter to any result.
        rows: The observations; likewise.
        loss: What becomes of old months; needed where a row gives ages.

    Raises:
        ModelFailedError: A row is about an unknown series, a value is not finite, or there are too many rows.
    """

    def __init__(self, series: Sequence[Series], rows: Sequence[Row], loss: Loss | None = None) -> None:
        self.series = {item.key: item for item in sorted(series, key=lambda item: item.key)}
        self.loss = loss
        self._check(rows)
        self.rows = sorted(rows, key=lambda row: (row.series, row.key))
        self.members = {
            key: np.array([k for k, row in enumerate(self.rows) if row.series == key], dtype=np.intp) for key in self.series
        }
        self.shared_names = sorted(
            {name for item in self.series.values() for process in item.processes for name in process.shared}
        )
        self.shared = {key: item.columns(self.shared_names, shared=True) for key, item in self.series.items()}
        self.own = {key: item.columns(item.own_names, shared=False) for key, item in self.series.items()}
        self.sources = sorted({row.source for row in self.rows})
        self.bias = np.zeros((len(self.rows), len(self.sources)))
        for k, row in enumerate(self.rows):
            self.bias[k, self.sources.index(row.source)] = row.bias_sd
        moments = [row.moments for row in self.rows]
        self.is_point = np.array([moment is not None for moment in moments], dtype=bool)
        self.slack_mean = np.array([moment[0] if moment else 0.0 for moment in moments])
        self.slack_var = np.array([moment[1] if moment else 0.0 for moment in moments])
        self.y = np.array([row.value for row in self.rows])
        self.family = np.array([FAMILIES.index(row.family) for row in self.rows], dtype=np.intp)
        self.variance = np.array([row.sd**2 for row in self.rows])
        self.extra = np.array([row.extra_sd**2 for row in self.rows])
        self.weight = np.ones(len(self.rows))
        # a row of one month is linear: its gradient is found once
        self.linear_rows = {
            k: evaluate(self.series[row.series], row, self.series[row.series].mean, loss)[1]
            for k, row in enumerate(self.rows)
            if row.is_linear
        }

    def _check(self, rows: Sequence[Row]) -> None:
        """Refuse what would only fail later, or worse, not fail."""
        bad = [row.key for row in rows if row.series not in self.series or not np.isfinite(row.value)]
        if bad or len(rows) > MAX_ROWS:
            raise ModelFailedError(
                f"{len(rows)} observations, of which {bad[:3]} are about an unknown series or not finite",
                "the observations given to the model",
                f"drop them before, with a reason; more than {MAX_ROWS} rows need another design.",
            )

    # linearisation ------------------------------------------------------------------------------------------------

    def linearise(self, states: Mapping[str, Floats]) -> Linear:
        """Return values and gradients of every observation at the given states (series -> (S,))."""
        gradients, value, mean = {}, np.zeros(len(self.rows)), np.zeros(len(self.rows))
        for key, item in self.series.items():
            members = self.members[key]
            gradient = np.zeros((len(members), len(item.mean)))
            for j, k in enumerate(members):
                if k in self.linear_rows:
                    gradient[j] = self.linear_rows[k]
                    value[k] = gradient[j] @ states[key] + sum(part.coefficient * part.shift for part in self.rows[k].parts)
                else:
                    value[k], gradient[j] = evaluate(item, self.rows[k], states[key], self.loss)
            gradients[key] = gradient
            mean[members] = value[members] - gradient @ (states[key] - item.mean)
        return Linear(gradients, value, mean)

    def projected(self, linear: Linear) -> tuple[Floats, Floats]:
        """Return the loadings of the rows on shared base normals (K, G), and the covariance of own columns (K, K)."""
        on_shared = np.zeros((len(self.rows), len(self.shared_names)))
        own = np.zeros((len(self.rows), len(self.rows)))
        for key, gradient in linear.gradients.items():
            members = self.members[key]
            on_shared[members] = gradient @ self.shared[key]
            loadings = gradient @ self.own[key]
            own[np.ix_(members, members)] = loadings @ loadings.T
        return on_shared, own

    def gp_covariance(self, linear: Linear, length_multiplier: float) -> Floats:
        """Return the covariance (K, K) that the Matern parts give the rows, at sd multiplier 1."""
        out = np.zeros((len(self.rows), len(self.rows)))
        for key, gradient in linear.gradients.items():
            members = self.members[key]
            if len(members):
                out[np.ix_(members, members)] = sum(
                    gradient[:, span] @ self.gp(process, length_multiplier) @ gradient[:, span].T
                    for process, span in self.gps(key)
                )
        return out

    def gps(self, key: str) -> Iterator[tuple[Process, slice]]:
        """Yield the processes of a series that have a Matern part, with their place."""
        item = self.series[key]
        yield from ((process, item.spans[process.name]) for process in item.processes if process.gp_sd > 0)

    @staticmethod
    def gp(process: Process, length_multiplier: float) -> Floats:
        """Return the covariance of a process's Matern part at sd multiplier 1, shape (T, T)."""
        return process.gp_sd**2 * matern(len(process.mean), process.gp_length * length_multiplier)

    # conditioning -------------------------------------------------------------------------------------------------

    def noise(self, theta: Floats) -> Floats:
        """Return the noise variance of every row, shape (K,), without slack."""
        scale = np.exp(2 * theta[: len(FAMILIES)])[self.family]
        return np.asarray((self.variance * scale + self.extra) / self.weight)

    def solve(self, theta: Floats, states: Mapping[str, Floats] | None = None, tolerance: float = 1e-4) -> "Solution":
        """Return the Gaussian posterior at one theta, relinearised until no state moves more than `tolerance`."""
        at = dict(states) if states else {key: item.mean.copy() for key, item in self.series.items()}
        for _ in range(40):
            linear = self.linearise(at)
            solution = Solution.of(self, linear, theta)
            new = {key: solution.state_mean(key) for key in self.series}
            moved = max((float(np.max(np.abs(new[key] - at[key]))) for key in new), default=0.0)
            at = new
            if moved < tolerance:
                break
        return solution


@dataclass
class Solution:
    """The posterior of a model at one theta and one linearisation.

    Attributes:
        model: What was conditioned.
        linear: Where it was linearised.
        theta: Log multipliers, shape (5,), in the order of THETA.
        covariance: Prior covariance of the rows without noise, (K, K).
        noise: Noise variance without slack, (K,).
        evidence: Log evidence of the rows with finite moments.
    """

    model: Model
    linear: Linear
    theta: Floats
    covariance: Floats
    noise: Floats
    on_shared: Floats
    alpha: Floats
    precision: Floats  # inverse of covariance + noise + slack variance over the point rows, zero elsewhere
    evidence: float

    @classmethod
    def of(cls, model: Model, linear: Linear, theta: Floats, parts: "tuple[Floats, Floats] | None" = None) -> "Solution":
        """Condition on every row that has moments. `parts` are on_shared and own as computed before."""
        on_shared, own = parts or model.projected(linear)
        gp_sd, gp_length = np.exp(theta[-2:])
        bias = np.exp(theta[-3]) * model.bias
        covariance = on_shared @ on_shared.T + own + gp_sd**2 * model.gp_covariance(linear, gp_length) + bias @ bias.T
        noise = model.noise(theta)
        alpha, precision, evidence = _condition(model, linear, covariance, noise)
        return cls(model, linear, theta, covariance, noise, on_shared, alpha, precision, evidence)

    def cross(self, key: str) -> Floats:
        """Return the prior covariance of a series' state with every row, shape (S, K)."""
        model, members = self.model, self.model.members[key]
        gradient = self.linear.gradients[key]
        out = model.shared[key] @ self.on_shared.T
        local = model.own[key] @ (gradient @ model.own[key]).T
        gp_sd, gp_length = np.exp(self.theta[-2:])
        for process, span in model.gps(key):
            local[span] += gp_sd**2 * (model.gp(process, gp_length) @ gradient[:, span].T)
        out[:, members] += local
        return out

    def state_mean(self, key: str) -> Floats:
        """Return the posterior mean of a series' state, shape (S,)."""
        return np.asarray(self.model.series[key].mean + self.cross(key) @ self.alpha)

    def left_out(self) -> tuple[Floats, Floats]:
        """Return mean and variance of every point row predicted from all others, shapes (K,).

        Sundararajan and Keerthi (2001). The variance holds the row's own noise and slack; nan for a hard limit.
        """
        diagonal = np.where(self.model.is_point, np.diag(self.precision), np.nan)
        target = self.model.y + self.model.slack_mean
        return np.asarray(target - self.alpha / diagonal), np.asarray(1 / diagonal)


def _condition(model: Model, linear: Linear, covariance: Floats, noise: Floats) -> tuple[Floats, Floats, float]:
    """Return alpha (K,), the precision matrix (K, K) and the log evidence; zeros for rows without moments."""
    n_rows = len(model.rows)
    alpha, precision = np.zeros(n_rows), np.zeros((n_rows, n_rows))
    keep = np.flatnonzero(model.is_point)
    if not len(keep):
        return alpha, precision, 0.0
    matrix = covariance[np.ix_(keep, keep)] + np.diag(noise[keep] + model.slack_var[keep])
    factor = cho_factor(matrix, lower=True, check_finite=False)
    residual = (model.y + model.slack_mean - linear.mean)[keep]
    alpha[keep] = cho_solve(factor, residual, check_finite=False)
    precision[np.ix_(keep, keep)] = cho_solve(factor, np.eye(len(keep)), check_finite=False)
    log_det = np.log(np.diag(factor[0])).sum()
    return alpha, precision, float(-0.5 * residual @ alpha[keep] - log_det - 0.5 * len(keep) * LOG_2PI)


# hyper-parameters -----------------------------------------------------------------------------------------------------


def _log_posterior(model: Model, linear: Linear) -> Objective:
    """Return theta -> log evidence + log prior at a fixed linearisation."""
    parts = model.projected(linear)
    base = parts[0] @ parts[0].T + parts[1]
    square = model.bias @ model.bias.T
    kernels: dict[float, Floats] = {}

    def objective(theta: Floats) -> float:
        length = float(np.exp(theta[-1]))
        if length not in kernels:
            kernels[length] = model.gp_covariance(linear, length)
        covariance = base + np.exp(2 * theta[-2]) * kernels[length] + np.exp(2 * theta[-3]) * square
        _, _, evidence = _condition(model, linear, covariance, model.noise(theta))
        return evidence - 0.5 * float(theta @ theta) / THETA_SD**2

    return objective


def _maximise(objective: Objective, start: Floats, max_iterations: int) -> Floats:
    """Return the theta of the highest log posterior, within bounds."""
    found = minimize(
        lambda theta: -objective(theta),
        start,
        method="L-BFGS-B",
        bounds=[(-THETA_MAX, THETA_MAX)] * len(THETA),
        options={"eps": 5e-3, "maxiter": max_iterations},
    )
    return np.asarray(found.x, dtype=np.float64)


class Fit(NamedTuple):
    """A model with its hyper-parameters found, and the points that stand for their uncertainty."""

    model: Model
    best: Solution
    points: list[Solution]
    weights: Floats  # of the points, sums to 1
    log_evidence: float


def fit(model: Model, *, seed: int, n_points: int = 16, is_robust: bool = True) -> Fit:
    """Find theta by empirical Bayes, weigh down rows the others contradict, and integrate over theta.

    A row's weight is min(1, 5 / (4 + z^2)), z its leave-one-out error: a Student-t with four degrees of freedom. The
    weights are left in `model.weight`. Theta is integrated over `n_points` Sobol points of a normal around the mode.
    """
    best = model.solve(np.zeros(len(THETA)))
    states = {key: best.state_mean(key) for key in model.series}
    for max_iterations in (8, 4, 4) if is_robust else (8,):
        if max_iterations < 8:  # noqa: PLR2004 - the first pass has no errors to weigh by yet
            mean, variance = best.left_out()
            z2 = (model.y + model.slack_mean - mean) ** 2 / variance
            model.weight = np.where(model.is_point, np.minimum(1.0, 5 / (4 + np.nan_to_num(z2))), 1.0)
        theta = _maximise(_log_posterior(model, best.linear), best.theta, max_iterations)
        best = model.solve(theta, states)
        states = {key: best.state_mean(key) for key in model.series}
    objective = _log_posterior(model, best.linear)
    spread = 1.1 / np.sqrt(_curvature(objective, best.theta))
    unit = ndtri(np.clip(qmc.Sobol(len(THETA), scramble=True, rng=generator(seed, "theta")).random(n_points), 1e-6, 1))
    thetas = best.theta + spread * unit
    log_weight = np.array([objective(theta) for theta in thetas]) + 0.5 * (unit**2).sum(axis=1)
    weights = np.exp(log_weight - logsumexp(log_weight))
    weights = np.minimum(weights, 0.25)
    points = [model.solve(theta, states) for theta in thetas]
    return Fit(model, best, points, weights / weights.sum(), best.evidence)


def fit_like(model: Model, other: Fit) -> Fit:
    """Condition another model with the hyper-parameters and weights of a fit: nothing is estimated anew.

    Rows the other fit did not have keep weight 1.
    """
    weights = {row.key: float(weight) for row, weight in zip(other.model.rows, other.model.weight, strict=True)}
    model.weight = np.array([weights.get(row.key, 1.0) for row in model.rows])
    best = model.solve(other.best.theta)
    states = {key: best.state_mean(key) for key in model.series}
    points = [model.solve(point.theta, states) for point in other.points]
    return Fit(model, best, points, other.weights, best.evidence)


def predict_later(model: Model, known: Collection[str], theta: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and variance of every other row as figures yet to be stated, from the `known` rows alone.

    The variance holds the row's own noise, bias and slack. Rows are linearised where the known ones put the states.
    """
    early = np.array([row.key in known for row in model.rows], dtype=bool)
    had, model.is_point = model.is_point, model.is_point & early
    try:
        solution = model.solve(theta)
    finally:
        model.is_point = had
    mean = solution.linear.mean + solution.covariance @ solution.alpha - model.slack_mean
    prior = np.diag(solution.covariance) + solution.noise + model.slack_var
    variance = prior - np.einsum("ij,jk,ki->i", solution.covariance, solution.precision, solution.covariance)
    later = [k for k in range(len(model.rows)) if not early[k] and had[k]]
    return {model.rows[k].key: float(mean[k]) for k in later}, {model.rows[k].key: float(variance[k]) for k in later}


def _curvature(objective: Objective, at: Floats, step: float = 0.12) -> Floats:
    """Return minus the second derivatives of the log posterior, floored at half the prior's precision."""
    centre, out = objective(at), np.zeros(len(at))
    for j, unit in enumerate(np.eye(len(at))):
        out[j] = -(objective(at + step * unit) - 2 * centre + objective(at - step * unit)) / step**2
    return np.maximum(out, 0.5 / THETA_SD**2)


# draws ----------------------------------------------------------------------------------------------------------------


def gibbs(mean: Floats, precision: Floats, limits: Floats, uniforms: Floats) -> Floats:
    """Return draws of a normal cut to a box, by Gibbs sampling in parallel chains.

    Args:
        mean: Mean before cutting, shape (b,).
        precision: Inverse covariance before cutting, shape (b, b).
        limits: Lower and upper limits, shape (b, 2), infinite where open.
        uniforms: Uniform numbers, shape (b, sweeps, n).

    Returns:
        The last sweep, shape (b, n).
    """
    n_bounds, n_sweeps, n_draws = uniforms.shape
    sds = 1 / np.sqrt(np.diag(precision))
    x = np.repeat(np.clip(mean, limits[:, 0] + 1e-3, limits[:, 1] - 1e-3)[:, None], n_draws, axis=1)
    for sweep in range(n_sweeps):
        for j in range(n_bounds):
            others = precision[j] @ (x - mean[:, None]) - precision[j, j] * (x[j] - mean[j])
            x[j] = _cut_normal(mean[j] - others * sds[j] ** 2, sds[j], limits[j], uniforms[j, sweep])
    return x


def _cut_normal(mean: Floats, sd: float, limits: Floats, uniforms: Floats) -> Floats:
    """Return normals cut to an interval by the inverse of their distribution, in the tail that keeps precision."""
    low, high = (limits[0] - mean) / sd, (limits[1] - mean) / sd
    flip = np.where(low + high > 0, -1.0, 1.0) if np.isfinite(limits).all() else np.where(np.isfinite(limits[0]), -1, 1)
    a, b = np.where(flip < 0, -high, low), np.where(flip < 0, -low, high)
    below, width = ndtr(a), ndtr(b) - ndtr(a)
    z = np.where(
        width > 0,
        ndtri(np.clip(below + uniforms * width, 1e-300, 1 - 1e-16)),
        b + np.log(np.maximum(uniforms, 1e-300)) / np.maximum(np.abs(b), 1.0),  # so far out that the tail is exponential
    )
    return np.asarray(np.clip(mean + sd * flip * z, limits[0], limits[1]))


class Draws:
    """Draws from a fit: the same seed gives the same numbers, whatever the number of threads.

    A prior draw is moved until it meets perturbed figures by their exact readings, along the directions of the linear form
    (randomise-then-optimise: Bardsley, Solonen, Haario, Laine 2014). Slacks and multipliers come from the linear form.

    Args:
        fit: The fit.
        seed: Of all base normals.
        n_draws: How many.
    """

    def __init__(self, fitted: Fit, *, seed: int, n_draws: int) -> None:
        self.fit, self.seed, self.n_draws = fitted, seed, n_draws
        self.allotted = allot(fitted.weights, n_draws)
        model = fitted.model
        self._shared = self._stack([f"g:{name}" for name in model.shared_names])
        self.curved = {
            key: [(place, k) for place, k in enumerate(model.members[key]) if not model.rows[k].is_linear] for key in model.series
        }
        self._push, self._bend = self._conditioned()

    def _stack(self, blocks: list[str]) -> Floats:
        """Return one row of normals per named block, shape (len(blocks), n)."""
        rows = [normals(self.seed, block, 1, self.n_draws) for block in blocks]
        return np.concatenate(rows) if rows else np.zeros((0, self.n_draws))

    def _base(self, key: str) -> tuple[Floats, dict[str, Floats]]:
        """Return the base normals of one series: of its own columns, and of the Matern part of each process."""
        model = self.fit.model
        own = self._stack([f"w:{key}:{name}" for name in model.series[key].own_names])
        gps = {
            process.name: normals(self.seed, f"w:{key}:{process.name}:gp", len(process.mean), self.n_draws)
            for process, _ in model.gps(key)
        }
        return own, gps

    def _prior(self, key: str, solution: Solution, own: Floats, gps: dict[str, Floats], at: Ints) -> Floats:
        """Return prior draws of a state at one theta, shape (S, len(at))."""
        model = self.fit.model
        gp_sd, gp_length = np.exp(solution.theta[-2:])
        z = model.series[key].mean[:, None] + model.shared[key] @ self._shared[:, at] + model.own[key] @ own[:, at]
        for process, span in model.gps(key):
            kernel = matern(len(process.mean), process.gp_length * gp_length)
            factor = cholesky(kernel + 1e-9 * np.eye(len(kernel)), lower=True, check_finite=False)
            z[span] += gp_sd * process.gp_sd * (factor @ gps[process.name][:, at])
        return z

    def _conditioned(self) -> tuple[Floats, Floats]:
        """Return for every draw what its rows push the base normals by, M^-1 (y + slack - y0 - bend), and the bend, (K, n).

        The bend is how far an exact reading of the draw lies from its linear form.
        """
        model = self.fit.model
        n_rows = len(model.rows)
        predicted = np.zeros((n_rows, self.n_draws))
        priors: dict[str, Floats] = {}
        for key in model.series:
            members = model.members[key]
            if len(members):
                own, gps = self._base(key)
                if self.curved[key]:
                    priors[key] = np.zeros((len(model.series[key].mean), self.n_draws))
                for j, solution in enumerate(self.fit.points):
                    at = np.flatnonzero(self.allotted == j)
                    z = self._prior(key, solution, own, gps, at)
                    if self.curved[key]:
                        priors[key][:, at] = z
                    z -= model.series[key].mean[:, None]
                    predicted[np.ix_(members, at)] = solution.linear.mean[members][:, None] + solution.linear.gradients[key] @ z
        bias = self._stack([f"b:{source}" for source in model.sources])
        noise = self._stack([f"e:{row.key}" for row in model.rows])
        open_rows = np.array([k for k, row in enumerate(model.rows) if row.slack is not None], dtype=np.intp)
        limits = np.array([model.rows[k].slack for k in open_rows], dtype=np.float64).reshape(-1, 2)
        inverse_slack = np.array([model.rows[k].slack_sd ** -2 for k in open_rows])
        uniforms = np.array(
            [generator(self.seed, f"o:{model.rows[k].key}").random((SWEEPS, self.n_draws)) for k in open_rows]
        ).reshape(len(open_rows), SWEEPS, self.n_draws)
        push, bend = np.zeros((n_rows, self.n_draws)), np.zeros((n_rows, self.n_draws))
        for j, solution in enumerate(self.fit.points):
            at = np.flatnonzero(self.allotted == j)
            if not len(at) or not n_rows:
                continue
            factor = cho_factor(solution.covariance + np.diag(solution.noise), lower=True, check_finite=False)
            scale = np.exp(solution.theta[-3])
            drawn = predicted[:, at] + scale * model.bias @ bias[:, at] + np.sqrt(solution.noise)[:, None] * noise[:, at]
            target = np.repeat(model.y[:, None], len(at), axis=1)
            if len(open_rows):
                exact = cho_solve(factor, np.eye(n_rows), check_finite=False)
                precision = exact[np.ix_(open_rows, open_rows)] + np.diag(inverse_slack)
                pull = -exact[open_rows] @ (model.y - solution.linear.mean)
                centre = np.linalg.solve(precision, pull)
                target[open_rows] += gibbs(centre, precision, limits, uniforms[:, :, at])
            linear = cho_solve(factor, target - drawn, check_finite=False)
            push[:, at], bend[:, at] = self._settled(solution, factor, linear, {key: z[:, at] for key, z in priors.items()})
        return push, bend

    def _settled(
        self, solution: Solution, factor: tuple[Floats, bool], push: Floats, priors: dict[str, Floats]
    ) -> tuple[Floats, Floats]:
        """Return push and bend of some draws of one theta once exact readings stand in for linear ones.

        Args:
            solution: The linear form.
            factor: Of its matrix M.
            push: What the linear form alone pushes by, (K, n).
            priors: The prior draws of each series with rows that are not linear, (S, n).
        """
        cross = {key: solution.cross(key) for key in priors}
        states = {key: prior + cross[key] @ push for key, prior in priors.items()}
        sd = np.sqrt(solution.noise)[:, None]
        bend = np.zeros_like(push)
        moving, curved = np.arange(push.shape[1]), list(priors)  # draws and series that have not come to rest
        for _ in range(ROUNDS):
            if not (len(moving) and curved):
                break
            change = np.zeros((len(push), len(moving)))
            for key in curved:
                ks = [k for _, k in self.curved[key]]
                change[ks] = self._bends(key, solution, states[key][:, moving]) - bend[np.ix_(ks, moving)]
            step = -cho_solve(factor, change, check_finite=False)
            bend[:, moving] += change
            push[:, moving] += step
            for key in curved:
                states[key][:, moving] += cross[key] @ step
            is_moving = np.abs(change) > SETTLED * sd
            curved = [key for key in curved if is_moving[[k for _, k in self.curved[key]]].any()]
            moving = moving[is_moving.any(axis=0)]
        return push, bend

    def _bends(self, key: str, solution: Solution, z: Floats) -> Floats:
        """Return exact less linear reading of the rows of a series that are not linear, (rows, n), at states z (S, n)."""
        item, loss, rows = self.fit.model.series[key], self.fit.model.loss, self.fit.model.rows
        places, ks = (list(part) for part in zip(*self.curved[key], strict=True))
        linear = solution.linear.mean[ks][:, None] + solution.linear.gradients[key][places] @ (z - item.mean[:, None])
        return np.array([evaluate_many(item, rows[k], z, loss) for k in ks]) - linear

    def __iter__(self) -> Iterator[tuple[str, dict[str, Floats]]]:
        """Yield each series with its processes, each of shape (T, n), one series at a time to keep memory low."""
        model = self.fit.model
        for key, item in model.series.items():
            own, gps = self._base(key)
            z = np.zeros((len(item.mean), self.n_draws))
            for j, solution in enumerate(self.fit.points):
                at = np.flatnonzero(self.allotted == j)
                if len(at):
                    z[:, at] = self._prior(key, solution, own, gps, at) + solution.cross(key) @ self._push[:, at]
            yield key, {name: z[span] for name, span in item.spans.items()}

    def reading_error(self, key: str, processes: Mapping[str, Floats]) -> dict[str, float]:
        """Return for each row of a series that is not linear what its draws still miss, rms over its noise sd.

        The distance between the exact reading of a draw and the reading it was conditioned on: nought where it settled.
        """
        model, curved = self.fit.model, self.curved[key]
        if not curved:
            return {}
        z = np.concatenate([processes[process.name] for process in model.series[key].processes])
        ks = [k for _, k in curved]
        missed = -self._bend[ks]
        for j, solution in enumerate(self.fit.points):
            mine = np.flatnonzero(self.allotted == j)
            if len(mine):
                missed[:, mine] += self._bends(key, solution, z[:, mine])
        noise = np.sqrt(self.fit.best.noise + model.slack_var)[ks]
        return {model.rows[k].key: float(rms) for k, rms in zip(ks, np.sqrt((missed**2).mean(axis=1)) / noise, strict=True)}


def evaluate_many(series: Series, row: Row, z: Floats, loss: Loss | None) -> Floats:
    """Return f(z) of many states at once: z of shape (S, n), result (n,)."""
    total = np.zeros(z.shape[1])
    for part in row.parts:
        months = np.arange(part.start, part.stop)
        exponent = np.zeros((len(months), z.shape[1]))
        for name in part.processes:
            span = series.spans[name]
            exponent += z[span.start + np.minimum(months, span.stop - span.start - 1)]
        if part.ages is not None and loss is not None:
            early, hazard = (z[series.spans[name].start] for name in (loss.early_name, loss.hazard_name))
            exponent += loss.log_survival(early, hazard, part.ages[:, None])
        top = exponent.max(axis=0)
        total += part.coefficient * (top + np.log(np.exp(exponent - top).sum(axis=0)) + part.shift)
    return total
