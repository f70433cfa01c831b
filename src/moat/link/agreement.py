"""Do two lists of ratings put things in one order? Rank correlations of plain numbers, ties allowed.

`scipy.stats` has both; it is not used because a build makes about two thousand of them on thirty numbers each, and
scipy's checks would cost more than the rest of the table. The tests hold these to scipy's values.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

DIGITS = 12  # beyond them only the order of additions is left


def spearman_rho(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, average ranks for ties; None where one list is all ties.

    The Pearson correlation of the ranks (Spearman 1904).
    """
    x, y = average_ranks(a), average_ranks(b)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return None if size == 0 else round(float(x @ y) / size, DIGITS)


def kendall_tau_b(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Kendall's tau-b, concordant less discordant pairs over pairs untied in each list; None where all are tied.

    Kendall (1945), The treatment of ties in ranking problems.
    """
    x, y = (np.sign(np.subtract.outer(values, values)) for values in (np.asarray(a, float), np.asarray(b, float)))
    size = float(np.sqrt(np.abs(x).sum() * np.abs(y).sum()))
    return None if size == 0 else round(float((x * y).sum()) / size, DIGITS)


def average_ranks(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return ranks from 1 for the smallest; equal values share the mean of their ranks."""
    return np.asarray(rankdata(np.asarray(values, float)), float)
