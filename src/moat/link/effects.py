"""A coefficient of the mixed model over draws of a regressor, and their permutation tests over companies."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, permutations
from math import comb, factorial
from typing import Self

import numpy as np
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from moat.link.mixed import Floats, Groups, Indices, Projection, reml

MOST_ORDERS = 10_000  # up to so many orders of companies are all tried
MOST_SUBSETS = 5_000_000  # up to so many also, where p is near its limit
LIMIT, NEAR = 0.05, 0.015
SAME = 1e-9  # two statistics that differ by less are the same but for rounding
STATIC = 1e-10
NEGLIGIBLE = 40.0  # a draw whose likelihood is exp(-40) of the best one does not matter
FINE = 1e-9  # estimates and ends of intervals are found to this share of a standard error
APART = 1e-8  # share of a regressor's information that the others of its draw must leave
SMALL = 1e-7  # a column of length one that adds less than this is a combination of others


@dataclass(frozen=True)
class Effect:
    """One coefficient over draws of its regressor.

    Attributes:
        estimate: In points per unit of the regressor: where the likelihood integrated over draws is highest, or the mean over
            draws counted equally.
        interval: The 90 % interval.
        within_se: Standard error in one draw, root mean square over draws.
        between_sd: Standard deviation of the estimate over draws.
        n_draws: Draws combined; with weights, as many equal ones as carry the same information.
        df: Degrees of freedom of the interval.
        mc_se: Monte Carlo standard error of the estimate.
    """

    estimate: float
    interval: tuple[float, float]
    within_se: float
    between_sd: float
    n_draws: float
    df: float
    mc_se: float

    @property
    def se(self) -> float:
        """Total standard error by Rubin's rules (1987)."""
        return float(np.sqrt(self.within_se**2 + (1 + 1 / self.n_draws) * self.between_sd**2))


@dataclass(frozen=True)
class Drawn:
    """Regressors that differ between draws: entry i has `basis[i] @ values[:, m, k]` in draw m.

    Attributes:
        basis: What every draw has in common, shape (n_entries, n_basis).
        values: Shape (n_basis, n_draws, k).
    """

    basis: Floats
    values: Floats

    @staticmethod
    def fixed(columns: Floats) -> "Drawn":
        """Return regressors that are the same in every draw, from columns of shape (n_entries, k)."""
        return Drawn(columns, np.eye(columns.shape[1])[:, None, :])

    def mean(self, weights: Floats | None = None) -> Floats:
        """Return the mean over draws, shape (n_entries, k), with weights of draws that sum to one where they are given."""
        means = self.values.mean(axis=1) if weights is None else np.einsum("rmk,m->rk", self.values, weights)
        return np.asarray(self.basis @ means)


@dataclass(frozen=True)
class Permuted:
    """A permutation test: two-sided p, the smallest p that any order has, and how many orders were tried.

    Where all orders are tried, those that tie for the largest statistic count together: companies whose amounts are alike
    can be exchanged without a change, so that the smallest p is above one order in all.
    """

    p: float
    min_p: float
    n_orders: int


def independent(x: Floats) -> Indices:
    """Return which columns of `x` are not combinations of columns before them."""
    scaled = x / np.maximum(np.linalg.norm(x, axis=0), STATIC)
    return np.flatnonzero(np.abs(np.diag(np.linalg.qr(scaled, mode="r"))) > SMALL)


def coefficient(
    groups: Groups, base: Floats, y: Floats, tested: Drawn, start: Floats | None = None, *, is_integrated: bool = True
) -> tuple[Effect, Projection]:
    """Return the coefficient of the last tested regressor, and the fit at a mean of the regressors over draws.

    The standard deviations of companies, models and residuals are fitted once for all draws; the coefficients in every draw.
    They are fitted at the mean over draws, and where the likelihood combines draws again at the mean that it weights: at the
    plain mean what the ratings say for some draws would count as a difference between companies.

    Args:
        groups: Who shares a company, a model and a residual spread.
        base: Design of everything that is controlled for, shape (n_entries, n_columns), of full rank.
        y: Ratings in points, shape (n_entries,).
        tested: The tested regressors.
        start: Logarithms of standard deviations to start from.
        is_integrated: Whether draws are combined by their likelihood, or equally by Rubin's rules.
    """
    fit = reml(groups, np.hstack([base, tested.mean()]), y, start)
    draws = _Draws.at(fit, base, tested)
    if is_integrated and len(draws.coefficient) > 1:
        fit = reml(groups, np.hstack([base, tested.mean(draws.weights)]), y, fit.v.log_sd)
        draws = _Draws.at(fit, base, tested)
    df = fit.degrees_of_freedom(np.eye(fit.x.shape[1])[-1])
    return _integrated(draws, df) if is_integrated else _counted_equally(draws, df), fit


@dataclass(frozen=True)
class _Draws:
    """The last coefficient in each draw, every array of shape (n_draws,).

    Attributes:
        coefficient: Its generalised least squares estimate.
        variance: The variance of that.
        log_mass: Logarithm of the likelihood integrated over all tested coefficients, up to a constant; minus infinity where the
            tested regressors of a draw are one number, which decides neither coefficient.
    """

    coefficient: Floats
    variance: Floats
    log_mass: Floats

    @classmethod
    def at(cls, fit: Projection, base: Floats, tested: Drawn) -> Self:
        """Return the coefficients at the covariance of a fit."""
        controlled = Projection(fit.v, base, fit.y)
        within, score = tested.basis.T @ controlled.p(tested.basis), tested.basis.T @ controlled.py
        values = np.moveaxis(tested.values, 2, 0)
        gram = np.einsum("krm,lrm->mkl", values, within @ values)
        size = np.sqrt(np.maximum(np.einsum("mkk->mk", gram), STATIC))
        share = np.linalg.det(gram / (size[:, :, None] * size[:, None, :]))
        are_one = share < APART
        if are_one.all():
            raise np.linalg.LinAlgError("no draw separates the tested regressors: test one of them")
        gram[are_one] = np.eye(gram.shape[1])
        covariances = np.linalg.inv(gram)
        scores = (score @ values).T
        drawn = np.einsum("mkl,ml->mk", covariances, scores)
        log_mass = 0.5 * (np.einsum("mk,mk->m", drawn, scores) - np.log(np.where(are_one, 1.0, share))) - np.log(size).sum(axis=1)
        return cls(drawn[:, -1], covariances[:, -1, -1], np.where(are_one, -np.inf, log_mass))

    @cached_property
    def weights(self) -> Floats:
        """Share of each draw in the integrated likelihood."""
        weights = np.exp(self.log_mass - self.log_mass.max())
        return np.asarray(weights / weights.sum())


def _integrated(draws: _Draws, df: float) -> Effect:
    """Combine draws by their likelihood.

    Draws are made without the ratings, so that the likelihood of a coefficient is its mean over draws (integrated likelihood,
    Berger, Liseo and Wolpert 1999); other tested coefficients are integrated out. It is a sum of normal densities, one a draw,
    in proportion to what the ratings say for the draw. The interval has the values whose log likelihood is within t^2 / 2 of
    the highest, t the quantile for 90 %. With one draw that is the usual interval of t.
    """
    weights = draws.weights
    n_equal = float(1 / (weights**2).sum())
    mean, within = float(weights @ draws.coefficient), float(weights @ draws.variance)
    between = float(weights @ (draws.coefficient - mean) ** 2)
    t = float(stats.t.ppf(0.95, df))
    if len(weights) == 1:
        half = t * float(np.sqrt(within))
        return Effect(mean, (mean - half, mean + half), float(np.sqrt(within)), 0.0, 1.0, df, 0.0)
    log_heights = draws.log_mass - 0.5 * np.log(draws.variance)
    matters = log_heights > log_heights.max() - NEGLIGIBLE
    log_heights = log_heights[matters] - log_heights.max()
    centres, precisions = draws.coefficient[matters], 1 / draws.variance[matters]

    def log_likelihood(value: float) -> float:
        return float(np.log(np.exp(log_heights - 0.5 * precisions * (value - centres) ** 2).sum()))

    step = float(np.sqrt(within + between))
    best = max(mean + step * np.linspace(-3, 3, 25), key=log_likelihood)
    found = minimize_scalar(
        lambda value: -log_likelihood(value), bounds=(best - step / 4, best + step / 4), method="bounded", options={"xatol": FINE * step}
    )  # fmt: skip
    estimate = float(found.x)
    for _ in range(3):  # the highest point is found from values to the root of the machine's precision only: Newton's steps
        shares = np.exp(log_heights - 0.5 * precisions * (estimate - centres) ** 2)
        slopes = precisions * (centres - estimate)
        slope = float(shares @ slopes / shares.sum())
        curvature = float(shares @ (precisions - slopes**2) / shares.sum()) + slope**2
        estimate += slope / curvature if curvature > STATIC else 0.0
    limit = log_likelihood(estimate) - 0.5 * t**2
    ends = []
    for side in (-1.0, 1.0):
        near, far = estimate, estimate + side * 2 * step
        while log_likelihood(far) > limit:
            near, far = far, far + side * 2 * step
        ends.append(float(brentq(lambda value: log_likelihood(value) - limit, near, far, xtol=FINE * step)))
    shares = np.exp(log_heights - 0.5 * precisions * (estimate - centres) ** 2)
    shares /= shares.sum()
    slopes = precisions * (centres - estimate)
    curvature = float(shares @ (precisions - slopes**2))
    mc_se = float(np.sqrt(shares**2 @ slopes**2)) / max(curvature, STATIC)
    return Effect(estimate, (ends[0], ends[1]), float(np.sqrt(within)), float(np.sqrt(between)), n_equal, df, mc_se)


def _counted_equally(draws: _Draws, df: float) -> Effect:
    """Combine draws by Rubin's rules (1987), with the degrees of freedom of Barnard and Rubin (1999)."""
    counts = np.isfinite(draws.log_mass)
    coefficient, n = draws.coefficient[counts], int(counts.sum())
    estimate, within = float(coefficient.mean()), float(draws.variance[counts].mean())
    between = float(coefficient.var())
    df = _combined_df(df, within, between, n)
    half = float(stats.t.ppf(0.95, df) * np.sqrt(within + (1 + 1 / n) * between))
    sd = float(np.sqrt(between))
    return Effect(estimate, (estimate - half, estimate + half), float(np.sqrt(within)), sd, n, df, sd / float(np.sqrt(n)))


def _combined_df(complete: float, within: float, between: float, n_draws: int) -> float:
    """Return the degrees of freedom of Barnard and Rubin for a complete-data value."""
    extra = (1 + 1 / n_draws) * between
    share = extra / (within + extra)
    if share < SAME or n_draws <= 1:
        return complete
    observed = (complete + 1) / (complete + 3) * complete * (1 - share)
    return 1 / (share**2 / (n_draws - 1) + 1 / observed)


@lru_cache(maxsize=64)
def _label_orders(n: int, k: int, n_random: int, seed: int) -> Floats:
    """Return random subsets of k of n companies, 1 for members and 0 for others, shape (n_random, n)."""
    first = (np.arange(n) < k).astype(np.float64)
    return np.random.default_rng([seed, n, k]).permuted(np.tile(first, (n_random, 1)), axis=1)


@lru_cache(maxsize=64)
def _subsets(n: int, k: int) -> Floats:
    """Return every subset of k of n companies, 1 for its members and 0 for others, shape (n_subsets, n)."""
    members = np.array(list(combinations(range(n), k)), dtype=np.intp).reshape(comb(n, k), k)
    return np.asarray((members[:, :, None] == np.arange(n)).any(axis=1), dtype=np.float64)


@lru_cache(maxsize=64)
def _path_orders(k: int, n_random: int, seed: int) -> Floats:
    """Return permutations of k positions as flattened permutation matrices, all or random ones; shape (n_orders, k * k)."""
    if factorial(k) > MOST_ORDERS:
        places = np.random.default_rng([seed, k]).permuted(np.tile(np.arange(k), (n_random, 1)), axis=1)
    else:
        places = np.array(list(permutations(range(k))))
    return np.asarray(np.eye(k)[places].reshape(len(places), k * k))


def permute_labels(null: Projection, labels: Floats, n_random: int, seed: int) -> Permuted:
    """Test the labels of companies by giving them to other companies.

    The statistic is the score of the labels over its standard deviation, at the covariance fitted without them, so that it does
    not depend on the labels' own fit. Where random orders leave p near its limit, every order is tried, so that no verdict
    depends on random numbers.

    Args:
        null: Fit of the design without the labels.
        labels: 1 or 0 by company, shape (n_companies,), in the order of the company indices.
        n_random: Random orders.
        seed: Of the random orders.
    """
    features = np.eye(len(labels))[null.v.groups.company]
    score, spread = features.T @ null.py, features.T @ null.p(features)
    n, k = len(labels), int(labels.sum())
    n_orders = comb(n, k)
    observed = _statistic(labels[None], score, spread)[0]
    if n_orders > MOST_ORDERS:
        orders = _label_orders(n, k, n_random, seed)
        p = (int((_statistic(orders, score, spread) >= observed - SAME).sum()) + 1) / (n_random + 1)
        if abs(p - LIMIT) > NEAR or n_orders > MOST_SUBSETS:
            return Permuted(p, max(1 / n_orders, 1 / (n_random + 1)), n_random)
    return _of_every_order(_statistic_of_every_subset(k, score, spread), observed)


def permute_paths(null: Projection, member: Indices, paths: Floats, n_random: int, seed: int) -> Permuted:
    """Test the amounts of companies by giving each the amounts over time of another.

    Args:
        null: Fit of the design without the amounts.
        member: For each entry the place of its company among those that have amounts, -1 for others.
        paths: Amount of each of those companies on the day of each entry, shape (n_entries, n_members).
        n_random: Random orders where there are too many to try all.
        seed: Of the random orders.
    """
    k = paths.shape[1]
    is_member = member >= 0
    by_place = np.zeros((len(member), k, k))
    by_place[is_member, member[is_member]] = paths[is_member]
    features = by_place.reshape(len(member), k * k)
    score, spread = features.T @ null.py, features.T @ null.p(features)
    orders, n_orders = _path_orders(k, n_random, seed), factorial(k)
    observed = _statistic(np.eye(k).reshape(1, -1), score, spread)[0]
    statistics = _statistic(orders, score, spread)
    if n_orders <= MOST_ORDERS:
        return _of_every_order(statistics, observed)
    reached = int((statistics >= observed - SAME).sum())
    return Permuted((reached + 1) / (n_random + 1), 1 / (n_random + 1), n_random)


def _of_every_order(statistics: Floats, observed: float) -> Permuted:
    """Return the test whose statistic is that of every order."""
    n = len(statistics)
    return Permuted(int((statistics >= observed - SAME).sum()) / n, int((statistics >= statistics.max() - SAME).sum()) / n, n)


def _statistic(rows: Floats, score: Floats, spread: Floats) -> Floats:
    """Return the absolute score of each order over its standard deviation."""
    variance = np.einsum("ij,ij->i", rows @ spread, rows)
    return _standardised(rows @ score, variance)


def _statistic_of_every_subset(k: int, score: Floats, spread: Floats) -> Floats:
    """Return the same for every subset of k companies: subsets of one half of the companies beside subsets of the other."""
    n, half, found = len(score), len(score) // 2, []
    for of_first in range(max(0, k - n + half), min(k, half) + 1):
        one, other = _subsets(half, of_first), _subsets(n - half, k - of_first)
        total = np.add.outer(one @ score[:half], other @ score[half:])
        variance = 2 * (one @ spread[:half, half:]) @ other.T
        variance += np.einsum("ij,ij->i", one @ spread[:half, :half], one)[:, None]
        variance += np.einsum("ij,ij->i", other @ spread[half:, half:], other)
        found.append(_standardised(total, variance).ravel())
    return np.concatenate(found)


def _standardised(score: Floats, variance: Floats) -> Floats:
    """Return absolute scores over their standard deviations."""
    return np.asarray(np.abs(score) / np.sqrt(np.maximum(variance, STATIC)))


def sign_flips(totals: Floats, n_random: int, rng: np.random.Generator) -> Permuted:
    """Test whether totals of companies lie about zero, by turning their signs.

    Args:
        totals: One number a company, shape (n_companies,).
        n_random: Random patterns where there are too many to try all.
        rng: Random numbers.
    """
    n_orders = 2 ** len(totals)
    if n_orders <= MOST_ORDERS:
        signs = 1.0 - 2.0 * ((np.arange(n_orders)[:, None] >> np.arange(len(totals))) & 1)
    else:
        signs = rng.choice([-1.0, 1.0], size=(n_random, len(totals)))
    statistics, observed = np.abs(signs @ totals), abs(float(totals.sum()))
    if n_orders <= MOST_ORDERS:
        return _of_every_order(statistics, observed)
    reached = int((statistics >= observed - SAME).sum())
    return Permuted((reached + 1) / (n_random + 1), max(2 / n_orders, 1 / (n_random + 1)), n_random)
