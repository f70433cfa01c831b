"""Which input the width of an estimate comes from: exact inside a fit, first order with a non-negative rest across layers."""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import NamedTuple

import numpy as np

from moat.uncertainty.seeds import Floats
from moat.volume.conditioning import Solution
from moat.volume.processes import LogSum, Row, evaluate, matern_root


class Loading(NamedTuple):
    """How strongly one independent base normal moves each target.

    Attributes:
        kind: noise and bias of observations; shared, own and gp of processes.
        key: Row key, `source|row key`, shared base normal, or `series:own base normal`, `series:process`.
        loadings: Effect of one standard deviation on each target, shape (targets,).
    """

    kind: str
    key: str
    loadings: Floats


class Attribution:
    """The posterior variance of several targets, taken apart exactly.

    A target is a linear function of states; take the softmax gradient for the log of a sum. Its error is linear in
    independent base normals, so that the squares of their loadings add up to its variance, and so do those of any
    weighted sum of targets.

    Args:
        solution: The posterior.
        targets: For each target its gradient, series -> (S,).
    """

    def __init__(self, solution: Solution, targets: Sequence[Mapping[str, Floats]]) -> None:
        self.solution, self.targets = solution, targets
        self.with_rows = np.zeros((len(solution.model.rows), len(targets)))
        for key in {key for target in targets for key in target}:
            cross = solution.cross(key).T
            for j, target in enumerate(targets):
                if key in target:
                    self.with_rows[:, j] += cross @ target[key]
        self.pull = solution.precision @ self.with_rows
        self.loadings = self._loadings()
        self.variance = np.asarray(sum((item.loadings**2 for item in self.loadings), np.zeros(len(targets))))

    def _loadings(self) -> list[Loading]:
        """Return every base normal's loadings. The bias of a source is shared out over its rows by how hard they pull."""
        solution, model, pull = self.solution, self.solution.model, self.pull
        noise = np.sqrt(solution.noise + model.offset_var)
        out = [Loading("noise", row.key, pull[k] * noise[k]) for k, row in enumerate(model.rows)]
        bias = model.scaled_bias(solution.theta)
        strength = np.abs(bias) * np.abs(pull).max(axis=1, initial=0.0)[:, None]
        portion = np.sqrt(strength / np.maximum(strength.sum(axis=0), 1e-300))
        for s, of_source in enumerate(bias.T @ pull):
            out += [Loading("bias", model.rows[k].key, portion[k, s] * of_source) for k in np.flatnonzero(bias[:, s])]
        shared = -solution.linear.on_shared.T @ pull
        for key, base in model.shared.items():
            shared += base.T @ self._gradients(key)
        out += [Loading("shared", name, row) for name, row in zip(model.shared_names, shared, strict=True)]
        for key, item in model.series.items():
            left = self._gradients(key) - solution.linear.gradients[key].T @ pull[model.members[key]]
            out += [
                Loading("own", f"{key}:{name}", row) for name, row in zip(item.own_names, model.own[key].T @ left, strict=True)
            ]
            for process, span in item.drifts:
                sd, length = model.drift(process, solution.theta)
                spread = sd * matern_root(len(process.mean), length).T @ left[span]
                out += [Loading("gp", f"{key}:{process.name}", row) for row in _compact(spread)]
        return out

    def _gradients(self, key: str) -> Floats:
        """Return the gradients of all targets by one series, shape (S, targets)."""
        out = np.zeros((len(self.solution.model.series[key].mean), len(self.targets)))
        for j, target in enumerate(self.targets):
            if key in target:
                out[:, j] = target[key]
        return out

    def without(self) -> tuple[Floats, Floats]:
        """Return for each row and target what dropping it would add to the variance, as a loading, and to the mean, (K, targets)."""
        diagonal = np.diag(self.solution.precision)
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        return self.pull * np.sqrt(inverse)[:, None], -self.pull * (self.solution.alpha * inverse)[:, None]

    def gain(self, row: Row) -> Floats:
        """Return the loading whose square one more observation like `row`, of a new source, would take off each variance."""
        solution, model = self.solution, self.solution.model
        item = model.series[row.series]
        _, h = evaluate(item, row, solution.states[row.series], model.loss)
        with_rows = solution.cross(row.series).T @ h
        on_shared, on_own = model.shared[row.series].T @ h, model.own[row.series].T @ h
        prior, own = np.zeros(len(self.targets)), float(on_shared @ on_shared + on_own @ on_own)
        for key, base in model.shared.items():
            prior += self._gradients(key).T @ (base @ on_shared)
        gradients = self._gradients(row.series)
        prior += gradients.T @ (model.own[row.series] @ on_own)
        for process, span in item.drifts:
            if h[span].any():
                seen = model.gp(process, solution.theta) @ h[span]
                prior += gradients[span].T @ seen
                own += float(h[span] @ seen)
        covariance = prior - self.with_rows.T @ solution.precision @ with_rows
        variance = own - with_rows @ solution.precision @ with_rows
        return np.asarray(covariance / np.sqrt(variance + row.sd**2 + row.extra_sd**2 + row.bias_sd**2))


def _compact(rows: Floats) -> Floats:
    """Return as few rows as there are columns, with the same inner products of columns."""
    return np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows


def log_sum_gradient(solution: Solution, parts: Mapping[str, tuple[LogSum, float]]) -> dict[str, Floats]:
    """Return the gradient of log(sum over series of weight x exp(log-sum)) at the posterior mean, series -> (S,)."""
    logs, gradients = {}, {}
    for key, (part, weight) in parts.items():
        item = solution.model.series[key]
        value, gradients[key] = evaluate(
            item, Row("target", key, 0.0, (part,), "target", 0.0, 0.0), solution.states[key], solution.model.loss
        )
        logs[key] = value + np.log(weight)
    top = max(logs.values())
    total = sum(np.exp(value - top) for value in logs.values())
    return {key: gradients[key] * np.exp(logs[key] - top) / total for key in parts}


class Term(NamedTuple):
    """One term of a sum: its size, and the factors it is nearly the product of.

    Attributes:
        size: Draws, shape (n,), positive.
        factors: By name, draws of shape (n,), positive. A factor may stand in several terms.
    """

    size: Floats
    factors: Mapping[str, Floats]


class Shares(NamedTuple):
    """Shares of the variance of the log of a sum. Those of `blocks` and `rest` are not below 0 and add to 1.

    Attributes:
        blocks: First-order share of each block of factors.
        weights: Mean elasticity of the sum to each factor.
        rest: What no weighted sum of the factors' logs explains: interactions and curvature.
    """

    blocks: dict[str, float]
    weights: dict[str, float]
    rest: float


def log_linear_shares(terms: Sequence[Term], block_of: Mapping[str, str] | None = None) -> Shares:
    """Take the variance of log(sum of terms) apart by factor, from draws.

    With the mean elasticities w, the sum of w times log factor is the first-order form (a Taylor series on the log scale). Its
    squared correlation with the log of the sum is shared out over the blocks by the variance of their part of it; what is left is
    the rest. Blocks are taken as independent; factors that depend on each other belong in one block.

    Args:
        terms: The terms.
        block_of: Block of a factor, by name; a factor not named is a block of its own.
    """
    total = np.sum([term.size for term in terms], axis=0)
    weights: dict[str, float] = {}
    logs: dict[str, Floats] = {}
    for term in terms:
        fraction = float((term.size / total).mean())
        for name, values in term.factors.items():
            weights[name] = weights.get(name, 0.0) + fraction
            logs[name] = np.log(values)
    parts: dict[str, Floats] = {}
    for name, values in logs.items():
        block = (block_of or {}).get(name, name)
        parts[block] = parts.get(block, np.zeros_like(total)) + weights[name] * values
    variances = {block: float(values.var()) for block, values in parts.items()}
    whole = fsum(variances.values())
    first = np.sum(list(parts.values()), axis=0)
    explained = float(np.corrcoef(first, np.log(total))[0, 1] ** 2)
    return Shares({block: explained * variance / whole for block, variance in variances.items()}, weights, 1 - explained)
