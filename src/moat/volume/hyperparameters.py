"""Hyperparameters by empirical Bayes, with robust weights, and integrated over what is left uncertain of them.

A hyperparameter is the log multiplier of one assumed size: the noise of a tier, the bias of a tier, the sd or the length of a
drift. Its prior is normal around 0 with the sd that the assumption's own percentiles give.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, ndtri
from scipy.stats import qmc

from moat.uncertainty.seeds import Floats, generator
from moat.volume.conditioning import Linear, Model, Solution

N_POINTS = 16  # of the integral over hyperparameters
MAX_WEIGHT = 0.25  # of one point
PASSES = (12, 6, 6)  # iterations of the optimiser, each pass followed by robust weights
FARTHEST = 4.0  # prior sds: a guard of the optimiser, which no fit should reach


class Search(NamedTuple):
    """The mode of a model's hyperparameters, and the places around it that stand for their uncertainty."""

    best: Solution
    thetas: Floats  # (places, theta)
    weights: Floats  # of the places, sums to 1


class Fit(NamedTuple):
    """A model with its hyperparameters found, and the points that stand for their uncertainty."""

    model: Model
    best: Solution
    points: list[Solution]
    weights: Floats  # of the points, sums to 1
    log_evidence: float


def fit(model: Model, *, seed: int, freedom: float | None = 4.0, n_points: int = N_POINTS) -> Fit:
    """Find the hyperparameters and condition at each of the places around them; arguments as of `search`."""
    best, thetas, weights = search(model, seed=seed, freedom=freedom, n_points=n_points)
    points = [model.solve(theta, best.states) for theta in thetas] if len(thetas) > 1 else [best]
    return Fit(model, best, points, weights, best.evidence)


def search(model: Model, *, seed: int, freedom: float | None = 4.0, n_points: int = N_POINTS) -> Search:
    """Find the hyperparameters, weigh down rows the others contradict, and place the points of the integral over them.

    A row's weight is min(1, (v + 1) / (v + z^2)), z its leave-one-out error: a Student-t with v degrees of freedom; of a row that may
    be contaminated it is the expected precision of a mixture of two normals. The weights are left in `model.weight`. The integral is
    over Sobol points of a normal around the mode, weighted by importance.

    Args:
        model: Series and observations.
        seed: Of the scrambling of the points.
        freedom: Degrees of freedom v; None for plain normal noise.
        n_points: Points of the integral.
    """
    best = model.solve(np.zeros(len(model.theta_names)))
    for n_iterations in PASSES if freedom else PASSES[:1]:
        best = model.solve(_maximise(model, best.linear, best.theta, n_iterations), best.states)
        if freedom:
            model.weight = _robust_weights(best, freedom)
            best = model.solve(best.theta, best.states)
    if not len(best.theta) or n_points == 1:
        return Search(best, best.theta[None], np.ones(1))
    root = _spread(best)
    unit = ndtri(
        np.clip(qmc.Sobol(len(best.theta), scramble=True, rng=generator(seed, "theta")).random(n_points), 1e-6, 1 - 1e-6)
    )
    thetas = best.theta + unit @ root.T
    log_weight = np.array([_log_posterior(model, best.linear, theta)[0] for theta in thetas]) + 0.5 * (unit**2).sum(axis=1)
    weights = np.minimum(np.exp(log_weight - logsumexp(log_weight)), MAX_WEIGHT)
    return Search(best, thetas, weights / weights.sum())


def _robust_weights(best: Solution, freedom: float) -> Floats:
    """Return the weight of the noise precision of every row by its leave-one-out error, shape (K,).

    With probability p a contaminated row has further noise of sd t (Tukey's contaminated normal). Its weight is the expected
    precision over the odds of the two, given its error, relative to its precision without.
    """
    model = best.model
    mean, variance = best.left_out()
    error2 = np.nan_to_num((model.y + model.offset_mean - mean) ** 2)
    z2 = error2 / np.where(model.is_point, variance, 1.0)
    weight = np.where(model.is_point, np.minimum(1.0, (freedom + 1) / (freedom + z2)), 1.0)
    noise = best.noise * model.weight  # as stated
    for k, row in enumerate(model.rows):
        if row.contamination is not None and model.is_point[k]:
            share, sd = row.contamination
            narrow = variance[k] - best.noise[k] + noise[k]
            wide = narrow + sd**2
            odds = np.log(share / (1 - share)) + 0.5 * np.log(narrow / wide) + 0.5 * error2[k] * (1 / narrow - 1 / wide)
            weight[k] = expit(-odds) + expit(odds) * noise[k] / (noise[k] + sd**2)
    return np.asarray(weight)


def like(model: Model, other: Solution, theta: Floats | None = None) -> Floats:
    """Give a model the robust weights of another's rows, and return the other's hyperparameters, or `theta`, in its own order.

    Rows the other did not have get weight 1, hyperparameters it did not have the multiplier 1.
    """
    weights = {row.key: float(weight) for row, weight in zip(other.model.rows, other.model.weight, strict=True)}
    model.weight = np.array([weights.get(row.key, 1.0) for row in model.rows])
    found = dict(zip(other.model.theta_names, other.theta if theta is None else theta, strict=True))
    return np.array([found.get(name, 0.0) for name in model.theta_names])


def fit_like(model: Model, other: Search) -> Fit:
    """Condition a model with the hyperparameters and weights found for another: nothing is estimated again."""
    best = model.solve(like(model, other.best))
    points = [model.solve(like(model, other.best, theta), best.states) for theta in other.thetas]
    return Fit(model, best, points, other.weights, best.evidence)


def predict_others(model: Model, known: Collection[str], theta: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and variance of every other row as statistics not yet published, from the `known` rows alone.

    The variance holds the row's own noise, bias and offset. Rows are linearised where the known ones put the states. The robust
    weight of a row that is not known is not used.
    """
    seen = np.array([row.key in known for row in model.rows], dtype=bool)
    had, weight = model.is_point, model.weight
    model.is_point, model.weight = had & seen, np.where(seen, weight, 1.0)
    try:
        solution = model.solve(theta)
    finally:
        model.is_point, model.weight = had, weight
    mean = solution.linear.mean + solution.covariance @ solution.alpha - model.offset_mean
    prior = np.diag(solution.covariance) + solution.noise + model.offset_var
    variance = prior - np.einsum("ij,jk,ki->i", solution.covariance, solution.precision, solution.covariance)
    others = [k for k in range(len(model.rows)) if not seen[k] and had[k]]
    return {model.rows[k].key: float(mean[k]) for k in others}, {model.rows[k].key: float(variance[k]) for k in others}


def _log_posterior(model: Model, linear: Linear, theta: Floats) -> tuple[float, Solution]:
    """Return log evidence plus log prior at a fixed linearisation, and the solution."""
    solution = Solution.of(model, linear, theta)
    return solution.evidence - 0.5 * float(((theta / model.theta_sd) ** 2).sum()), solution


def _maximise(model: Model, linear: Linear, start: Floats, n_iterations: int) -> Floats:
    """Return the theta of the highest log posterior at a fixed linearisation.

    The gradient of the evidence is half the trace of (alpha alpha' - precision) times the derivative of the covariance
    (Rasmussen and Williams 2006, equation 5.9).
    """
    if not len(start):
        return start

    def objective(theta: Floats) -> tuple[float, Floats]:
        value, solution = _log_posterior(model, linear, theta)
        outer = np.outer(solution.alpha, solution.alpha) - solution.precision
        slope = 0.5 * np.einsum("kl,jkl->j", outer, model.slopes(linear, theta)) - theta / model.theta_sd**2
        return -value, -slope

    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-FARTHEST * sd, FARTHEST * sd) for sd in model.theta_sd],
        options={"maxiter": n_iterations},
    )
    return np.asarray(found.x, dtype=np.float64)


def _spread(best: Solution) -> Floats:
    """Return a square root of the inverse of expected information plus prior precision, shape (theta, theta)."""
    pulls = best.precision @ best.model.slopes(best.linear, best.theta)
    information = 0.5 * np.einsum("ikl,jlk->ij", pulls, pulls) + np.diag(best.model.theta_sd**-2.0)
    root = cholesky(information, lower=True)
    return np.asarray(solve_triangular(root, np.eye(len(root)), lower=True).T)
