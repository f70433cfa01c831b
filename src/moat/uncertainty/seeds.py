"""Common random numbers: every block of base normals has a generator of its own, named in words.

Adding, dropping or re-adding one block leaves the numbers of all others in place, so that two runs differ only by
what was changed and not by the random numbers.
"""

from functools import lru_cache
from typing import TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats: TypeAlias = npt.NDArray[np.float64]

GOLDEN = 0.6180339887498949  # the fractional golden ratio: any stretch of its multiples fills [0, 1) evenly


def generator(seed: int, block: str) -> np.random.Generator:
    """Return the generator of one named block, the same on every machine."""
    return np.random.default_rng(np.random.SeedSequence([seed, crc32(block.encode())]))


def normals(seed: int, block: str, n_rows: int, n_draws: int) -> Floats:
    """Return independent standard normals of shape (n_rows, n_draws).

    Rows are filled in order, so that a block that grows by a month keeps the numbers of its earlier months.
    """
    return generator(seed, block).standard_normal((n_rows, n_draws))


def stratified_normals(seed: int, block: str, n_rows: int, n_draws: int) -> Floats:
    """Return standard normals of shape (n_rows, n_draws), each row a random order of the same n_draws quantile midpoints.

    Latin hypercube sampling (McKay, Beckman, Conover 1979; Stein 1987): each row has mean 0 and variance 1 exactly, so that what
    is nearly additive in the rows has a far smaller Monte Carlo error than with independent numbers. Rows are filled in order,
    as in `normals`.
    """
    return generator(seed, block).permuted(np.broadcast_to(_midpoints(n_draws), (n_rows, n_draws)), axis=1)


@lru_cache(maxsize=8)
def _midpoints(n_draws: int) -> Floats:
    """Return the normal quantiles at the middles of n_draws equal bins, scaled to variance 1; shape (n_draws,)."""
    found = ndtri((np.arange(n_draws) + 0.5) / n_draws)
    return np.asarray(found / (found.std() if n_draws > 1 else 1.0))


def allot(weights: Floats, n_draws: int) -> npt.NDArray[np.intp]:
    """Return for each draw the index it is allotted to, in proportion to `weights`, evenly over any run of draws.

    Multiples of the golden ratio stand in for a random offset: every prefix of the draws holds the same mixture, to
    within one draw or two.
    """
    edges = np.cumsum(weights) / np.sum(weights)
    places = np.mod((np.arange(n_draws) + 0.5) * GOLDEN, 1.0)
    return np.asarray(np.minimum(np.searchsorted(edges, places, side="right"), len(weights) - 1), dtype=np.intp)
