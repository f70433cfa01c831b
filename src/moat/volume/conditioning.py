"""The posterior of log processes given observations, in closed form at one linearisation and one set of hyperparameters.

Rows K, series p, states S, base normals shared by all G. Nothing larger than K x K is factorised, so the cost grows with K^3:
above some 2,000 rows another design is needed. Formulas are in `docs/method.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from datamoat.errors import ModelFailedError
from moat.uncertainty.seeds import Floats
from moat.volume.processes import Loss, Process, Row, Series, drift_covariance, evaluate, matern, matern_slope

MAX_ROWS = 2_000
MAX_ITERATIONS = 40  # of the Gauss-Newton linearisation
LOG_2PI = float(np.log(2 * np.pi))


class Linear(NamedTuple):
    """Observations linearised at a state: f(z) = offset + sum over series of gradient @ z."""

    gradients: dict[str, Floats]  # series -> (rows of that series, S)
    value: Floats  # f at the state, shape (K,)
    mean: Floats  # f linearised, at the prior mean, shape (K,)
    on_shared: Floats  # loadings of the rows on shared base normals, (K, G)
    own: Floats  # covariance of the rows through own base normals, (K, K)


class Model:
    """Series, observations and what is lost with age, arranged for conditioning.

    Args:
        series: The series; their order does not matter to any result.
        rows: The observations; likewise.
        loss: What becomes of old months; needed where a row gives ages.
        theta_sd: By name, the prior sd of the log multiplier of a hyperparameter. What is not named stays at 1.

    Raises:
        ModelFailedError: A row is about an unknown series, a value is not finite, or there are too many rows.
    """

    def __init__(
        self, series: Sequence[Series], rows: Sequence[Row], loss: Loss | None = None, theta_sd: Mapping[str, float] | None = None
    ) -> None:
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
        self.offset_mean = np.array([moment[0] if moment else 0.0 for moment in moments])
        self.offset_var = np.array([moment[1] if moment else 0.0 for moment in moments])
        self.y = np.array([row.value for row in self.rows])
        self.variance = np.array([row.sd**2 for row in self.rows])
        self.extra = np.array([row.extra_sd**2 for row in self.rows])
        self.weight = np.ones(len(self.rows))
        given = theta_sd or {}
        drifts = {name for item in self.series.values() for process, _ in item.drifts for name in process.gp_names}
        used = drifts | {name for row in self.rows for name in (row.noise_name, row.bias_name)}
        self.theta_names = tuple(sorted(used & given.keys()))
        self.theta_sd = np.array([given[name] for name in self.theta_names])
        self.noise_at = np.array([self._place(row.noise_name) for row in self.rows], dtype=np.intp)
        self.bias_at = np.array([self._place(row.bias_name) for row in self.rows], dtype=np.intp)
        # a row of one month is linear: its gradient is found once
        self.linear_rows = {
            k: evaluate(self.series[row.series], row, self.series[row.series].mean, loss)[1]
            for k, row in enumerate(self.rows)
            if row.is_linear
        }

    def _place(self, name: str) -> int:
        """Return the index of a hyperparameter; one past the last where it is fixed at 1."""
        return self.theta_names.index(name) if name in self.theta_names else len(self.theta_names)

    def _check(self, rows: Sequence[Row]) -> None:
        """Refuse observations of an unknown series, values that are not finite, and more rows than a fit can hold."""
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
        gradients, n_rows = {}, len(self.rows)
        value, mean = np.zeros(n_rows), np.zeros(n_rows)
        on_shared, own = np.zeros((n_rows, len(self.shared_names))), np.zeros((n_rows, n_rows))
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
            on_shared[members] = gradient @ self.shared[key]
            loadings = gradient @ self.own[key]
            own[np.ix_(members, members)] = loadings @ loadings.T
        return Linear(gradients, value, mean, on_shared, own)

    # hyperparameters ----------------------------------------------------------------------------------------------

    def multiplier(self, theta: Floats, name: str) -> float:
        """Return what a named size is multiplied by at `theta`."""
        return float(np.exp(theta[self._place(name)])) if name in self.theta_names else 1.0

    def drift(self, process: Process, theta: Floats) -> tuple[float, float]:
        """Return sd and length scale of a process's drift at `theta`."""
        sd, length = (self.multiplier(theta, name) for name in process.gp_names)
        return process.gp_sd * sd, process.gp_length * length

    def gp(self, process: Process, theta: Floats) -> Floats:
        """Return the covariance of a process's drift, shape (T, T)."""
        sd, length = self.drift(process, theta)
        return drift_covariance(len(process.mean), sd, length)

    def scaled_noise(self, theta: Floats) -> Floats:
        """Return the part of the noise variance of every row that its hyperparameter multiplies, shape (K,)."""
        return np.asarray(self.variance * np.exp(2 * np.append(theta, 0.0)[self.noise_at]) / self.weight)

    def noise(self, theta: Floats) -> Floats:
        """Return the noise variance of every row, shape (K,), without the variance of its offset."""
        return np.asarray(self.scaled_noise(theta) + self.extra / self.weight)

    def scaled_bias(self, theta: Floats) -> Floats:
        """Return the loading of every row on the bias of its source, shape (K, sources)."""
        return np.asarray(self.bias * np.exp(np.append(theta, 0.0)[self.bias_at])[:, None])

    def covariance(self, linear: Linear, theta: Floats) -> Floats:
        """Return the prior covariance of the rows without noise, shape (K, K)."""
        bias = self.scaled_bias(theta)
        out = linear.on_shared @ linear.on_shared.T + linear.own + bias @ bias.T
        for key, gradient in linear.gradients.items():
            if len(gradient):
                at = np.ix_(self.members[key], self.members[key])
                for process, span in self.series[key].drifts:
                    seen = gradient[:, span]
                    if seen.any():
                        out[at] += seen @ self.gp(process, theta) @ seen.T
        return np.asarray(out)

    def slopes(self, linear: Linear, theta: Floats) -> Floats:
        """Return the derivative of covariance plus noise by each log multiplier, shape (len(theta), K, K)."""
        n_rows = len(self.rows)
        out = np.zeros((len(theta), n_rows, n_rows))
        noise, bias = self.scaled_noise(theta), self.scaled_bias(theta)
        square = bias @ bias.T
        for j in range(len(theta)):
            rows = np.flatnonzero(self.noise_at == j)
            out[j, rows, rows] += 2 * noise[rows]
            rows = np.flatnonzero(self.bias_at == j)
            out[j, rows] += square[rows]
            out[j, :, rows] += square[rows]
        for key, gradient in linear.gradients.items():
            if len(gradient):
                at = np.ix_(self.members[key], self.members[key])
                for process, span in self.series[key].drifts:
                    seen = gradient[:, span]
                    if not seen.any():
                        continue
                    sd, length = self.drift(process, theta)
                    for name, kernel, factor in zip(process.gp_names, (matern, matern_slope), (2, 1), strict=True):
                        if name in self.theta_names:
                            part = factor * sd**2 * seen @ kernel(len(process.mean), length) @ seen.T
                            out[self._place(name)][at] += part
        return out

    # conditioning -------------------------------------------------------------------------------------------------

    def solve(self, theta: Floats, states: Mapping[str, Floats] | None = None, tolerance: float = 1e-4) -> "Solution":
        """Return the Gaussian posterior at one theta, relinearised until no state moves more than `tolerance`."""
        at = dict(states) if states else {key: item.mean.copy() for key, item in self.series.items()}
        for _ in range(MAX_ITERATIONS):
            solution = Solution.of(self, self.linearise(at), theta)
            new = solution.states
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
        theta: Log multipliers, in the order of `model.theta_names`.
        covariance: Prior covariance of the rows without noise, (K, K).
        noise: Noise variance without that of offsets, (K,).
        points: The rows with finite moments.
        factor: Cholesky factor of covariance + noise + offset variance over those; None without any.
        alpha: Precision times residual, (K,).
        evidence: Log evidence of the rows with finite moments.
    """

    model: Model
    linear: Linear
    theta: Floats
    covariance: Floats
    noise: Floats
    points: npt.NDArray[np.intp]
    factor: tuple[Floats, bool] | None
    alpha: Floats
    evidence: float

    @classmethod
    def of(cls, model: Model, linear: Linear, theta: Floats) -> "Solution":
        """Condition on every row that has moments."""
        covariance, noise = model.covariance(linear, theta), model.noise(theta)
        alpha, evidence, factor = np.zeros(len(model.rows)), 0.0, None
        points = np.flatnonzero(model.is_point)
        if len(points):
            matrix = covariance[np.ix_(points, points)] + np.diag(noise[points] + model.offset_var[points])
            factor = cho_factor(matrix, lower=True, check_finite=False)
            residual = (model.y + model.offset_mean - linear.mean)[points]
            alpha[points] = cho_solve(factor, residual, check_finite=False)
            log_det = np.log(np.diag(factor[0])).sum()
            evidence = float(-0.5 * residual @ alpha[points] - log_det - 0.5 * len(points) * LOG_2PI)
        return cls(model, linear, theta, covariance, noise, points, factor, alpha, evidence)

    @cached_property
    def precision(self) -> Floats:
        """Inverse of covariance + noise + offset variance over the rows with finite moments, zero elsewhere, (K, K)."""
        out, points = np.zeros_like(self.covariance), self.points
        if self.factor is not None:
            out[np.ix_(points, points)] = cho_solve(self.factor, np.eye(len(points)), check_finite=False)
        return out

    def local(self, key: str) -> Floats:
        """Return the prior covariance of a series' state with its rows, without what it shares, shape (S, rows of it)."""
        model, gradient = self.model, self.linear.gradients[key]
        out = model.own[key] @ (gradient @ model.own[key]).T
        for process, span in model.series[key].drifts:
            if gradient[:, span].any():
                out[span] += model.gp(process, self.theta) @ gradient[:, span].T
        return np.asarray(out)

    def cross(self, key: str) -> Floats:
        """Return the prior covariance of a series' state with every row, shape (S, K)."""
        out = self.model.shared[key] @ self.linear.on_shared.T
        out[:, self.model.members[key]] += self.local(key)
        return np.asarray(out)

    @cached_property
    def states(self) -> dict[str, Floats]:
        """The posterior mean of every series' state, shape (S,)."""
        model, found = self.model, {}
        shared = self.linear.on_shared.T @ self.alpha
        for key, item in model.series.items():
            pull = self.linear.gradients[key].T @ self.alpha[model.members[key]]
            state = item.mean + model.shared[key] @ shared + model.own[key] @ (model.own[key].T @ pull)
            for process, span in item.drifts:
                if pull[span].any():
                    state[span] += model.gp(process, self.theta) @ pull[span]
            found[key] = state
        return found

    def left_out(self) -> tuple[Floats, Floats]:
        """Return mean and variance of every point row predicted from all others, shapes (K,).

        Sundararajan and Keerthi (2001). The variance holds the row's own noise and offset; nan for a hard limit.
        """
        diagonal = np.where(self.model.is_point, np.diag(self.precision), np.nan)
        target = self.model.y + self.model.offset_mean
        return np.asarray(target - self.alpha / diagonal), np.asarray(1 / diagonal)
