"""Does one uncertain order go with another? Rank association of draws, its permutation test, its effect and its power.

Two sets of draws, values `v` and ratings `r`, both of shape (n_draws, n_companies); a draw is one possible world. Every
statistic is a mean over draws. Under a permutation of companies the draws move together, so that a statistic which is
a sum over companies needs the draws only once: with `M = sum_s v_s r_s' / (S n)` on standardised ranks,

    T = trace(M),   T(pi) = sum_i M[i, pi(i)].

That is why the permutation is done here and not by `scipy.stats.permutation_test`: that function calls the statistic for
each permutation and makes its own permutations each time; with one matrix and one shared set of permutations a test costs
milliseconds, and there are thousands. Given the same matrix as statistic, scipy gives the same exact p (see the tests).
scipy is imported where it is called: a what-if asks for ranks and permutations alone and is over before scipy would be read.

A correlation shrinks by the noise of what is correlated, so the mean over draws is the statistic of a test and never the
size of an effect; `corrected_effect` is that, after Spearman's correction for attenuation. Neither is the spread over draws.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations as all_orders
from math import factorial, prod, sqrt
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from moat.uncertainty.seeds import Floats, generator

Orders: TypeAlias = npt.NDArray[np.intp]
Groups: TypeAlias = npt.NDArray[np.bool_]
Halves: TypeAlias = npt.NDArray[np.float32]

TOLERANCE = 1e-12  # two permutations whose sums differ by less are equal: the same terms, added in another order
Z90 = 1.6448536269514722  # the ends of a 90 % interval of the standard normal
PAIR = 2  # a group smaller than this has no spread
TRIPLE = 3  # two points always lie on a line
MIN_FOR_INTERVAL = 4  # Fisher's variance has n - 3 below the line
IN_FRONT = 3  # companies that may be the one whose absence raises p most; a first look puts it among them
NOTHING = 1e-9  # a residual shorter than this, of ranks of length 1, is rounding


@dataclass(frozen=True)
class Tested:
    """A statistic and how often chance does as well.

    Attributes:
        value: The statistic, a mean over draws.
        p: Share of permutations with an absolute value at least as large (two-sided).
        method: `exact` (every permutation) or `monte_carlo` (a seeded sample; the identity counts as one more).
        n_permutations: How many permutations were looked at.
        min_p: The smallest p this test could give for these ties and this number of companies.
    """

    value: float
    p: float
    method: Literal["exact", "monte_carlo"]
    n_permutations: int
    min_p: float


@dataclass(frozen=True)
class Effect:
    """An effect with the middle 90 % of what the data allow."""

    p05: float
    p50: float
    p95: float


@lru_cache(maxsize=128)
def orders(n: int, n_random: int, seed: int) -> tuple[Orders, bool]:
    """Return permutations of `n` things as columns of an array (n, count), and whether they are all there are.

    All n! are listed if they are no more than `n_random` + 1, else `n_random` are drawn from the seed, the same ones for
    every test of this size.
    """
    if factorial(n) <= n_random + 1:
        every = np.array(list(all_orders(range(n))), dtype=np.intp).reshape(-1, n)
        return np.ascontiguousarray(every.T), True
    drawn = generator(seed, f"orders:{n}").permuted(np.tile(np.arange(n, dtype=np.intp), (n_random, 1)), axis=1)
    return np.ascontiguousarray(drawn.T), False


@lru_cache(maxsize=64)
def orders_back(n: int, n_random: int, seed: int) -> Orders:
    """Return the inverse of each permutation of `orders`, shape (n, count)."""
    return np.argsort(orders(n, n_random, seed)[0], axis=0)


@lru_cache(maxsize=32)
def pair_orders(n: int, n_random: int, seed: int) -> tuple[Orders, bool]:
    """Return where each pair i < j goes under the permutations of `orders`: pi(i) n + pi(j), shape (n (n-1) / 2, count)."""
    columns, is_exact = orders(n, n_random, seed)
    first, second = np.triu_indices(n, 1)
    return columns[first] * n + columns[second], is_exact


def standard_ranks(x: Floats) -> Floats:
    """Return ranks in each row (ties share the mean rank) with mean 0 and standard deviation 1; a constant row is all 0.

    A row product divided by n is Spearman's correlation. Shape (n_draws, n), as given. Minus infinity stands for "none".
    """
    ranks = row_ranks(x)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0))


def row_ranks(x: Floats) -> Floats:
    """Return ranks from 1 in each row, ties sharing the mean rank: what `scipy.stats.rankdata` gives along the rows.

    Draws seldom tie, and a build ranks thousands of tables of some hundred short rows, where scipy's checks cost most;
    nor does a question that is answered in a second wait for the import of scipy's statistics. No value may be missing.
    """
    order = np.argsort(x, axis=1, kind="stable")
    ordered = np.take_along_axis(x, order, axis=1)
    place = np.arange(1.0, x.shape[1] + 1)[None]
    is_next = ordered[:, 1:] != ordered[:, :-1]
    if not is_next.all():
        edge = np.ones((len(x), 1), dtype=bool)
        first = np.maximum.accumulate(np.where(np.hstack([edge, is_next]), place, 0), axis=1)
        last = np.minimum.accumulate(np.where(np.hstack([is_next, edge]), place, np.inf)[:, ::-1], axis=1)[:, ::-1]
        place = (first + last) / 2
    ranks = np.empty(x.shape)
    np.put_along_axis(ranks, order, place, axis=1)
    return ranks


def spearman_matrix(v: Floats, r: Floats) -> Floats:
    """Return M, shape (n, n), whose trace is the mean over draws of Spearman's correlation of `v` and `r`."""
    return product_matrix(standard_ranks(v), standard_ranks(r))


def plain_spearman(x: Floats, y: Floats) -> float:
    """Return Spearman's correlation of two lists; 0 where one is constant.

    Ranks of one short list by counting who is ahead: a call of `rankdata` costs more than the counting.
    """
    left, right = (np.sign(z[:, None] - z).sum(axis=1) for z in (x, y))
    size = sqrt(float((left**2).sum() * (right**2).sum()))
    return float(left @ right) / size if size > 0 else 0.0


def product_matrix(v: Floats, r: Floats) -> Floats:
    """Return sum over draws of v_s r_s' / (S n), shape (n, n), of scores that are already standardised."""
    n_draws, n = v.shape
    return np.asarray(v.T @ r / (n_draws * n))


def difference_matrix(group: Groups, r: Floats) -> Floats:
    """Return M, shape (n, n), whose trace is the mean of `r` inside `group` less the mean outside, in units of `r`."""
    weights = np.where(group, 1 / max(group.sum(), 1), -1 / max((~group).sum(), 1))
    return np.outer(weights, r.mean(axis=0))


def auc_matrix(group: Groups, r: Floats) -> Floats:
    """Return M, shape (n, n), whose trace is P(one inside is above one outside) - 1/2, ties counting one half.

    The Mann-Whitney identity: the mean rank inside less the mean rank outside, over n, is 2 AUC - 1 halved.
    """
    return difference_matrix(group, row_ranks(r)) / group.size


def permutation_test(matrix: Floats, ties: float = 1.0, *, n_random: int = 99_999, seed: int = 0) -> Tested:
    """Test a statistic that is a trace against the same sum under permutations of the columns.

    Args:
        matrix: Shape (n, n); see `spearman_matrix`, `difference_matrix`, `auc_matrix`.
        ties: In how many permutations the same arrangement returns, because companies are tied (`arrangements`).
        n_random: How many permutations to draw where they are too many to list.
        seed: Of the permutations.
    """
    n = len(matrix)
    columns, is_exact = orders(n, n_random, seed)
    return _tested(float(np.trace(matrix)), _permuted_traces(matrix, columns), n, ties, is_exact=is_exact)


def arrangements(*tied: Floats) -> float:
    """Return how many of the n! permutations change nothing, given draws (n_draws, n) whose ties hold in every draw."""
    return float(prod(factorial(size) for x in tied for size in _tie_sizes(x)))


def kendall_test(v: Floats, r: Floats, *, n_random: int = 9_999, seed: int = 0) -> Tested:
    """Test the mean over draws of Kendall's tau-b, by the same scheme with the signs of pairs in place of ranks.

    T(pi) is a sum over pairs of pairs, so it costs more than a rank test; pairs tied in every draw drop out.
    """
    n_draws, n = v.shape
    first, second = np.triu_indices(n, 1)
    a, b = (np.sign(x[:, first] - x[:, second]) for x in (_finite(v), r))
    a, b = (_unit(x) for x in (a, b))
    seen = np.flatnonzero(a.any(axis=0))
    kernel = a[:, seen].T @ b / n_draws
    moved, is_exact = pair_orders(n, n_random, seed)
    sums = np.zeros(moved.shape[1])
    signed = np.zeros((n, n))
    for row, pair in zip(kernel, seen, strict=True):
        signed[first, second], signed[second, first] = row, -row
        sums += signed.ravel().take(moved[pair])
    value = float(np.trace(kernel[:, seen])) if len(seen) else 0.0
    return _tested(value, sums, n, arrangements(v, r), is_exact=is_exact)


def projection(controls: Floats) -> Floats:
    """Return an orthonormal basis, shape (n, rank), of the columns of `controls` (n, k) and a constant.

    Its rank says honestly how many of the companies' degrees of freedom the controls take: a constant control takes none.
    """
    design = np.column_stack([np.ones(len(controls)), controls])
    left, size, _ = np.linalg.svd(design / np.maximum(np.linalg.norm(design, axis=0), 1e-300), full_matrices=False)
    return np.asarray(left[:, size > 1e-9 * size[0]])


@dataclass(frozen=True)
class Held:
    """Ratings with the controls projected out, ready to be tested against any number of volumes.

    Attributes:
        basis: From `projection`, shape (n, rank).
        right: Residual ranks of the ratings, rows of length 1, shape (n_draws, n).
        length: What is left of them under each permutation: sqrt(1 - tr(H G_pi)), shape (count,).
        n_random: How many permutations to draw where they are too many to list.
        seed: Of the permutations.
    """

    basis: Floats
    right: Floats
    length: Floats
    n_random: int
    seed: int


def hold_fixed(ranks: Floats, basis: Floats, *, n_random: int = 9_999, seed: int = 0) -> Held | None:
    """Return ranks of ratings, from `standard_ranks`, shape (n_draws, n), with the controls projected out.

    Returns:
        None where nothing is left to vary: fewer than three degrees of freedom, or constant residuals.
    """
    if len(basis) - basis.shape[1] < TRIPLE:
        return None
    right = _residuals(ranks, basis)
    if not right.any():
        return None
    spread = right.T @ right / len(right)
    back = orders_back(len(basis), n_random, seed)
    lost = np.zeros(back.shape[1])
    for direction in basis.T:
        moved = direction.take(back)  # moved[j] is the weight of the company that now carries the residual of j
        lost += np.einsum("jb,jb->b", moved, spread @ moved)
    return Held(basis, right, np.sqrt(np.maximum(1 - lost, TOLERANCE)), n_random, seed)


def partial_test(ranks: Floats, held: Held | None) -> Tested | None:
    """Test the mean over draws of the correlation of ranks after the controls are projected out (Freedman and Lane 1983).

    With v, r the residuals of unit length, Mp = mean v r', G = mean r r' and H = basis basis':
    T(pi) = sum_i Mp[i, pi(i)] / sqrt(1 - tr(H G_pi)).

    Args:
        ranks: Of values, from `standard_ranks`, shape (n_draws, n), as many draws as were held or more.
        held: From `hold_fixed`.

    Returns:
        The test, or None where nothing is left to vary on either side.
    """
    if held is None:
        return None
    left = _residuals(ranks[: len(held.right)], held.basis)
    if not left.any():
        return None
    matrix = left.T @ held.right / len(left)
    columns, is_exact = orders(len(matrix), held.n_random, held.seed)
    sums = _permuted_traces(matrix, columns) / held.length
    return _tested(float(np.trace(matrix)), sums, len(matrix), 1.0, is_exact=is_exact)


def leave_one_out(left: Halves, right: Halves) -> Floats:
    """Return, for each company, the mean over draws of Spearman's correlation without it, from `ranks_without` of both.

    Shape (n,); NaN below n = 3.
    """
    n = len(left)
    if n < TRIPLE:
        return np.full(n, np.nan)
    products, left_size, right_size = (
        np.einsum("jis,jis->is", x, y).astype(float) for x, y in ((left, right), (left, left), (right, right))
    )
    sizes = left_size * right_size
    rho = np.divide(products, np.sqrt(sizes), out=np.zeros_like(products), where=sizes > 0)
    return np.asarray(rho.mean(axis=1))


def leave_one_out_kendall(v: Floats, r: Floats) -> Floats:
    """Return, for each company, the mean over draws of Kendall's tau-b without it. Shape (n,); NaN below n = 3."""
    n = v.shape[1]
    if n < TRIPLE:
        return np.full(n, np.nan)
    a, b = (np.sign(x[:, :, None] - x[:, None, :]) for x in (_finite(v), r))

    def without(x: Floats) -> Floats:
        per_company = x.sum(axis=2)
        return np.asarray(per_company.sum(axis=1, keepdims=True) - 2 * per_company)

    products, sizes = without(a * b), without(a * a) * without(b * b)
    tau = np.divide(products, np.sqrt(np.maximum(sizes, 0)), out=np.zeros_like(products), where=sizes > 0)
    return np.asarray(tau.mean(axis=0))


def leave_one_out_difference(group: Groups, r: Floats) -> Floats:
    """Return, for each company, the difference of group means without it. Shape (n,); NaN where a group would be empty."""
    means, sides = r.mean(axis=0), (group, ~group)
    (inside, outside), (n_in, n_out) = ([means[side].sum() for side in sides], [side.sum() for side in sides])
    without = np.full((2, group.size), np.nan)
    for i in range(group.size):
        left_in, left_out = n_in - group[i], n_out - (not group[i])
        if left_in and left_out:
            without[:, i] = (inside - means[i] * group[i]) / left_in, (outside - means[i] * (not group[i])) / left_out
    return np.asarray(without[0] - without[1])


def leave_one_out_auc(group: Groups, r: Floats) -> Floats:
    """Return, for each company, the chance of being ahead without it. Shape (n,); NaN where a group would be empty."""
    wins = ((1 + np.sign(r[:, group, None] - r[:, None, ~group])) / 2).mean(axis=0)
    n_in, n_out = wins.shape
    without = np.full(group.size, np.nan)
    if n_in > 1:
        without[group] = (wins.sum() - wins.sum(axis=1)) / ((n_in - 1) * n_out)
    if n_out > 1:
        without[~group] = (wins.sum() - wins.sum(axis=0)) / (n_in * (n_out - 1))
    return without


def worst_p_without_one(
    left: Halves, right: Halves, *, n_random: int = 99_999, n_random_again: int = 1_999, seed: int = 0
) -> tuple[float, int]:
    """Return the largest p of the Spearman test over all ways to leave one company out, and that company's index.

    All are looked at with `n_random_again` permutations, and those in front once more with `n_random`: only the largest
    counts, and it is held against a threshold, so that its own error must be small.

    Args:
        left: From `ranks_without`, shape (n, n, n_draws).
        right: The same, of the other side.
        n_random: Permutations for the companies in front.
        n_random_again: Permutations for all.
        seed: Of the permutations.
    """
    n = len(left)

    def matrix(i: int) -> Floats:
        kept = np.arange(n) != i
        a, b = (_unit(x[kept, i].T.astype(float)) for x in (left, right))
        return a.T @ b / len(a)

    matrices = [matrix(i) for i in range(n)]
    rough = np.array([permutation_test(m, n_random=n_random_again, seed=seed).p for m in matrices])
    front = np.argsort(-rough, kind="stable")[:IN_FRONT]
    p, culprit = max((permutation_test(matrices[i], n_random=n_random, seed=seed).p, -i) for i in front)
    return p, int(-culprit)


def reliability(x: Floats) -> float:
    """Return the share of the variance in `x` (n_draws, n) that is between companies and not within one: in [0, 1].

    Each draw is centred first, which removes what is common to all companies and moves no rank.
    """
    centred = x - x.mean(axis=1, keepdims=True)
    between, within = centred.mean(axis=0).var(ddof=1), centred.var(axis=0).mean()
    return float(between / (between + within)) if between > 0 else 0.0


def corrected_effect(v: Floats, r: Floats, reliabilities: tuple[float, float] | None = None) -> Effect | None:
    """Return the rank correlation of posterior means corrected for the reliability of both, with its 90 % interval.

    rho_raw is Spearman's correlation of the means over draws; the interval is Fisher's with the variance
    (1 + rho^2 / 2) / (n - 3) of Bonett and Wright (2000); all is divided by the root of the two reliabilities and
    clipped to [-1, 1]. Scales are the caller's: logarithms for volumes.

    Returns:
        The effect, or None with fewer than four companies or where one side does not vary.
    """
    n = v.shape[1]
    shrink = sqrt(prod(reliabilities or (reliability(v), reliability(r))))
    if n < MIN_FOR_INTERVAL or shrink == 0:
        return None
    raw = plain_spearman(v.mean(axis=0), r.mean(axis=0))
    z, se = np.arctanh(np.clip(raw, -1 + 1e-12, 1 - 1e-12)), sqrt((1 + raw**2 / 2) / (n - 3))
    low, high = np.tanh(z - Z90 * se), np.tanh(z + Z90 * se)
    return Effect(*(float(np.clip(x / shrink, -1, 1)) for x in (low, raw, high)))


def mean_difference_effect(group: Groups, r: Floats) -> Effect | None:
    """Return the difference of mean ratings inside and outside `group` with Welch's 90 % interval, in rating points."""
    if min(group.sum(), (~group).sum()) < PAIR:
        return None
    means = r.mean(axis=0)
    inside, outside = means[group], means[~group]
    middle = float(inside.mean() - outside.mean())
    if inside.var() == 0 and outside.var() == 0:
        return Effect(middle, middle, middle)
    from scipy import stats

    interval = stats.ttest_ind(inside, outside, equal_var=False).confidence_interval(0.90)
    return Effect(float(interval.low), middle, float(interval.high))


def auc_effect(group: Groups, r: Floats) -> Effect | None:
    """Return the chance of being ahead (AUC) with the 90 % interval of Hanley and McNeil (1982), clipped to [0, 1]."""
    n_in, n_out = int(group.sum()), int((~group).sum())
    if min(n_in, n_out) < PAIR:
        return None
    auc = float(np.trace(auc_matrix(group, r))) + 0.5
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    var = (auc * (1 - auc) + (n_in - 1) * (q1 - auc**2) + (n_out - 1) * (q2 - auc**2)) / (n_in * n_out)
    half = Z90 * sqrt(max(var, 0))
    return Effect(*(float(np.clip(x, 0, 1)) for x in (auc - half, auc, auc + half)))


def rank_power(n: int, latent: float, reliability_v: float = 1.0, reliability_r: float = 1.0, alpha: float = 0.05) -> float:
    """Return the power of the two-sided rank test against a latent normal correlation seen through noise. NaN below n = 4.

    The latent correlation shrinks by the root of the reliabilities, becomes Spearman's by 6/pi asin(rho/2), and is held
    against the critical value of Student's t, with the variance of `corrected_effect`.
    """
    if n < MIN_FOR_INTERVAL:
        return float("nan")
    rho = 6 / np.pi * np.arcsin(latent * sqrt(reliability_v * reliability_r) / 2)
    critical, se = _critical_z(n, alpha), sqrt((1 + rho**2 / 2) / (n - 3))
    above, below = (critical - np.arctanh(rho)) / se, (-critical - np.arctanh(rho)) / se
    from scipy.special import ndtr

    return float(ndtr(-above) + ndtr(below))


@lru_cache(maxsize=256)
def _critical_z(n: int, alpha: float) -> float:
    """Return the two-sided critical correlation of `n` companies, on Fisher's scale."""
    from scipy import stats

    t = float(stats.t.ppf(1 - alpha / 2, n - 2))
    return float(np.arctanh(t / sqrt(n - 2 + t**2)))


def group_power(n_in: int, n_out: int, latent: float, reliability_r: float = 1.0, alpha: float = 0.05) -> float:
    """Return the power of the two-sided comparison of two groups whose point-biserial correlation is `latent`.

    d = rho / sqrt(p q (1 - rho^2)) standard deviations; the noncentral t distribution does the rest. NaN where a group
    has fewer than two members.
    """
    if min(n_in, n_out) < PAIR:
        return float("nan")
    n, rho = n_in + n_out, latent * sqrt(reliability_r)
    d = rho / sqrt(n_in * n_out / n**2 * (1 - rho**2))
    from scipy import stats

    shift, critical = d * sqrt(n_in * n_out / n), stats.t.ppf(1 - alpha / 2, n - 2)
    return float(stats.nct.sf(critical, n - 2, shift) + stats.nct.cdf(-critical, n - 2, shift))


def smallest_latent(n: int, reliability_v: float = 1.0, reliability_r: float = 1.0, power: float = 0.8) -> float | None:
    """Return the smallest latent correlation that is seen with the given power, to 0.01, or None if there is none."""
    for latent in np.arange(0.0, 1.0, 0.01):
        if rank_power(n, float(latent), reliability_v, reliability_r) >= power:
            return float(latent)
    return None


def _permuted_traces(matrix: Floats, columns: Orders) -> Floats:
    """Return sum_i matrix[i, pi(i)] for every permutation; `columns` has one permutation a column."""
    sums = np.zeros(columns.shape[1])
    for row, column in zip(matrix, columns, strict=True):
        sums += row.take(column)
    return sums


def _tested(value: float, sums: Floats, n: int, ties: float, *, is_exact: bool) -> Tested:
    """Return the two-sided p of `value` among `sums`."""
    as_large = int((np.abs(sums) >= abs(value) - TOLERANCE * max(1.0, abs(value))).sum())
    if is_exact:
        largest = np.abs(sums).max()
        best = int((np.abs(sums) >= largest - TOLERANCE * max(1.0, largest)).sum())
        return Tested(value, as_large / len(sums), "exact", len(sums), best / len(sums))
    floor = max(1 / (len(sums) + 1), min(ties / factorial(n), 1.0))
    return Tested(value, (1 + as_large) / (len(sums) + 1), "monte_carlo", len(sums), floor)


def _tie_sizes(x: Floats) -> list[int]:
    """Return the sizes of the groups of columns that are equal in every draw."""
    return list(Counter(column.tobytes() for column in np.ascontiguousarray(x.T)).values())


def _finite(x: Floats) -> Floats:
    """Return `x` with minus infinity ("none") as a number below all others, so that two of them differ by 0."""
    return np.where(np.isneginf(x), np.finfo(float).min / 4, x)


def _unit(x: Floats) -> Floats:
    """Return rows scaled to length 1; rows of zeros stay."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(np.divide(x, length, out=np.zeros_like(x, dtype=float), where=length > NOTHING))


def _residuals(x: Floats, basis: Floats) -> Floats:
    """Return what the basis does not explain of each row, scaled to length 1; rows it explains wholly are zeros."""
    return _unit(x - (x @ basis) @ basis.T)


def ranks_without(x: Floats) -> Halves:
    """Return twice the centred ranks, shape (n, n, n_draws): [j, i, s] is that of j in draw s without company i, 0 for j = i.

    Ranks without one company are the ranks with it, less one for those above it (less one half for those tied with it).
    Doubled they are whole numbers, so that single precision holds them, and their sums, exactly. Draws come last because
    that is the order in which the sums run.
    """
    by_company = np.ascontiguousarray(x.T)
    ahead = (by_company[:, None] > by_company).view(np.int8)
    signs = ahead - ahead.swapaxes(0, 1)
    ranks = (signs.sum(axis=1, keepdims=True, dtype=np.int16) - signs).astype(np.float32)
    each = np.arange(len(ranks))
    ranks[each, each] = 0
    return np.asarray(ranks)
