"""Estimates for all posts from a set of posts, given how many of each number of views it covers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
FEWEST = 10  # posts of a group of views, below which it is joined with the next

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """A mean over posts.

    Attributes:
        raw: Over the posts of the set as they are.
        weighted: Over posts weighted to the census by views.
        low: Lower end of the 90 % interval of the weighted mean, over all choices of weighting.
        high: Its upper end.
    """

    raw: float
    weighted: float
    low: float
    high: float


def clopper_pearson(n_hits: Counts, n_tries: Counts, level: float = LEVEL) -> tuple[Counts, Counts]:
    """Return the exact interval of a share (Clopper and Pearson 1934).

    Args:
        n_hits: Shape (groups,).
        n_tries: Shape (groups,), at least `n_hits`.
        level: Coverage of the interval.
    """
    from scipy.special import betaincinv  # here, so that a build without a set of posts does not load it

    tail = (1 - level) / 2
    low = np.where(n_hits > 0, betaincinv(n_hits, n_tries - n_hits + 1, tail), 0.0)
    high = np.where(n_hits < n_tries, betaincinv(n_hits + 1, n_tries - n_hits, 1 - tail), 1.0)
    return np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)


def weighted_mean(n_census: Counts, n_both: Counts, n: Counts, total: Counts, square: Counts) -> Mean:
    """Return the mean of a quantity over posts, each group of views weighted by the share that the census shows as missing.

    A group's posts stand for `n * n_census / n_both` posts (post-stratification). The variance has two terms: of the
    means within groups, and of the coverage of each group. Groups are taken as they are and joined in pairs in both
    ways; the interval is the hull of the three, so that it holds what depends on the choice of groups.

    Args:
        n_census: Shape (groups,), in order of views: posts of the census.
        n_both: Posts of the set that are in the census's time.
        n: Posts of the set over which the mean is taken.
        total: Sum of the quantity over these posts.
        square: Sum of its squares.

    Returns:
        NaN throughout where no group is covered.
    """
    raw = float(total.sum() / n.sum()) if n.sum() > 0 else float("nan")
    numbers = np.stack([n_census, n_both, n, total, square])
    ends: list[tuple[float, float, float]] = []
    for first in (None, 0, 1):
        grouped = _joined(numbers if first is None else _pairs(numbers, first))
        if grouped.shape[1]:
            ends.append(_one(grouped))
    if not ends:
        return Mean(raw, float("nan"), float("nan"), float("nan"))
    return Mean(raw, ends[0][0], min(low for _, low, _ in ends), max(high for _, _, high in ends))


def _one(numbers: Counts) -> tuple[float, float, float]:
    """Return the weighted mean for one choice of groups, with its interval."""
    from scipy.special import ndtri

    n_census, n_both, n, total, square = numbers
    means = total / n
    stands_for = n * n_census / n_both
    shares = stands_for / stands_for.sum()
    mean = float(shares @ means)
    within = np.maximum(square / n - means**2, 0.0) / np.maximum(n - 1, 1)
    of_coverage = (shares * (means - mean)) ** 2 * (1 / n_both + 1 / n_census)
    half = float(ndtri((1 + LEVEL) / 2) * np.sqrt((shares**2 * within + of_coverage).sum()))
    return mean, mean - half, mean + half


def _pairs(numbers: Counts, first: int) -> Counts:
    """Join neighbouring groups in pairs, the first pair beginning at `first`."""
    starts = [0, *range(first, numbers.shape[1], 2)] if first else list(range(0, numbers.shape[1], 2))
    return np.add.reduceat(numbers, starts, axis=1) if numbers.shape[1] else numbers


def _joined(numbers: Counts) -> Counts:
    """Join every group with too few posts with the next, the last with the one before."""
    groups: list[Counts] = []
    waiting = np.zeros(numbers.shape[0])
    for column in numbers.T:
        waiting = waiting + column
        if waiting[1] >= FEWEST and waiting[2] >= FEWEST and waiting[0] > 0:
            groups.append(waiting)
            waiting = np.zeros(numbers.shape[0])
    if groups:
        groups[-1] = groups[-1] + waiting
    return np.stack(groups, axis=1) if groups else numbers[:, :0]
