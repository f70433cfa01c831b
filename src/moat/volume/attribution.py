"""Which input the width of an answer comes from: closed shares inside a fit, first-order indices across layers."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from moat.uncertainty.seeds import Floats
from moat.volume.loggaussian import LogSum, Row, Solution, evaluate, matern


class Share(NamedTuple):
    """One component of a posterior variance.

    Attributes:
        kind: noise and bias of observations; shared, own and gp of processes.
        key: Row key, source, shared base normal, or `series:own base normal`, `series:process`.
        share: Part of the variance; over all components these sum to 1.
    """

    kind: str
    key: str
    share: float


class Attribution:
    """The posterior variance of one target, taken apart exactly.

    A target is a linear function of states, `gradient` (series -> (S,)); take the softmax gradient for the log of a
    sum. Its error is linear in independent base normals, so that the squares of their coefficients add up.

    Args:
        solution: The posterior.
        gradient: The target.
    """

    def __init__(self, solution: Solution, gradient: Mapping[str, Floats]) -> None:
        self.solution, self.gradient = solution, gradient
        model = solution.model
        self.with_rows = np.zeros(len(model.rows))
        for key, c in gradient.items():
            self.with_rows += solution.cross(key).T @ c
        self.pull = solution.precision @ self.with_rows
        self._parts = self._squares()
        self.variance = float(sum(value for _, _, value in self._parts))

    def _squares(self) -> list[tuple[str, str, float]]:
        """Return the variance each base normal leaves in the target."""
        solution, model, a = self.solution, self.solution.model, self.pull
        scale, (gp_sd, gp_length) = np.exp(solution.theta[-3]), np.exp(solution.theta[-2:])
        parts = [("noise", row.key, a[k] ** 2 * (solution.noise[k] + model.slack_var[k])) for k, row in enumerate(model.rows)]
        parts += [("bias", name, value**2) for name, value in zip(model.sources, scale * a @ model.bias, strict=True)]
        shared = -solution.on_shared.T @ a
        for key, c in self.gradient.items():
            shared = shared + model.shared[key].T @ c
        parts += [("shared", name, value**2) for name, value in zip(model.shared_names, shared, strict=True)]
        for key, item in model.series.items():
            left = self.gradient.get(key, np.zeros(len(item.mean))) - (solution.linear.gradients[key].T @ a[model.members[key]])
            own = model.own[key].T @ left
            parts += [("own", f"{key}:{name}", v**2) for name, v in zip(item.own_names, own, strict=True)]
            for process, span in model.gps(key):
                kernel = matern(len(process.mean), process.gp_length * gp_length)
                part = (gp_sd * process.gp_sd) ** 2 * left[span] @ kernel @ left[span]
                parts.append(("gp", f"{key}:{process.name}", part))
        return [(kind, key, float(value)) for kind, key, value in parts]

    @property
    def shares(self) -> list[Share]:
        """Every component's share, largest first."""
        shares = [Share(kind, key, value / self.variance) for kind, key, value in self._parts]
        return sorted(shares, key=lambda item: (-item.share, item.kind, item.key))

    def without(self) -> tuple[Floats, Floats]:
        """Return for each row how much the variance would rise and the mean would move if it were dropped, (K,)."""
        diagonal = np.diag(self.solution.precision)
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        return self.pull**2 * inverse, -self.pull * self.solution.alpha * inverse

    def worth_of(self, row: Row) -> float:
        """Return the share of the variance that one more observation like `row`, of a new source, would remove."""
        solution, model = self.solution, self.solution.model
        item = model.series[row.series]
        _, h = evaluate(item, row, solution.state_mean(row.series), model.loss)
        with_rows = solution.cross(row.series).T @ h
        prior = _prior_covariance(solution, self.gradient, row.series, h)
        own = _prior_covariance(solution, {row.series: h}, row.series, h)
        covariance = prior - self.with_rows @ solution.precision @ with_rows
        variance = own - with_rows @ solution.precision @ with_rows
        return float(covariance**2 / (variance + row.sd**2 + row.extra_sd**2 + row.bias_sd**2) / self.variance)


def _prior_covariance(solution: Solution, gradient: Mapping[str, Floats], key: str, h: Floats) -> float:
    """Return the prior covariance of a target with a linear function of one series."""
    model = solution.model
    shared = sum((model.shared[name].T @ c for name, c in gradient.items()), np.zeros(len(model.shared_names)))
    total = shared @ (model.shared[key].T @ h)
    if key in gradient:
        c = gradient[key]
        total += (model.own[key].T @ c) @ (model.own[key].T @ h)
        gp_sd, gp_length = np.exp(solution.theta[-2:])
        for process, span in model.gps(key):
            kernel = matern(len(process.mean), process.gp_length * gp_length)
            total += (gp_sd * process.gp_sd) ** 2 * c[span] @ kernel @ h[span]
    return float(total)


def log_sum_gradient(solution: Solution, parts: Mapping[str, tuple[LogSum, float]]) -> dict[str, Floats]:
    """Return the gradient of log(sum over series of weight x exp(log-sum)) at the posterior mean, series -> (S,)."""
    logs, gradients = {}, {}
    for key, (part, weight) in parts.items():
        item = solution.model.series[key]
        row = Row("target", key, 0.0, (part,), "target", "volume", 0.0, 0.0)
        value, gradients[key] = evaluate(item, row, solution.state_mean(key), solution.model.loss)
        logs[key] = value + np.log(weight)
    top = max(logs.values())
    total = sum(np.exp(value - top) for value in logs.values())
    return {key: gradients[key] * np.exp(logs[key] - top) / total for key in parts}


def eta_squared(inputs: Floats, output: Floats, n_bins: int = 40) -> Floats:
    """Return the first-order index of each input from draws that are already there.

    The variance of the output's mean over equal bins of an input, less what chance alone would give, over the total.

    Args:
        inputs: Draws of independent inputs, shape (inputs, n).
        output: Draws of the answer, shape (n,).
        n_bins: Bins of equal size per input.

    Returns:
        Indices, shape (inputs,), not below 0.
    """
    out = np.zeros(len(inputs))
    total = output.var()
    for i, values in enumerate(inputs):
        bins = np.array_split(output[np.argsort(values, kind="stable")], n_bins)
        means = np.array([part.mean() for part in bins])
        chance = np.mean([part.var(ddof=1) / len(part) for part in bins])
        out[i] = max(0.0, (means.var(ddof=1) * (n_bins - 1) / n_bins - chance * (n_bins - 1) / n_bins) / total)
    return out
