"""Points per doubling of disclosed training data, over pairs of generations of one family, against the date trend."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from moat.link.effects import Permuted, sign_flips
from moat.link.mixed import Floats, Indices

FEWEST_FAMILIES = 3


@dataclass(frozen=True)
class Dose:
    """A slope through the origin over families.

    Attributes:
        estimate: Points per doubling.
        p05: Lower end of its 90 % interval, from t with one degree less than families.
        p95: Upper end.
        test: Test by turning the signs of families.
        n_families: Families whose data changed.
    """

    estimate: float
    p05: float
    p95: float
    test: Permuted
    n_families: int


def slope(change: Floats, expected: Floats, doublings: Floats, family: Indices, seed: int) -> Dose | None:
    """Return the slope of what the date trend does not explain on doublings of data, or None for fewer than three families whose data changed.

    Boards of a family are averaged, so that a family counts once.

    Args:
        change: Change of rating from one generation to the next on one board, shape (n_pairs,).
        expected: What the date trend and the controls alone would have changed, shape (n_pairs,).
        doublings: Binary logarithm of the ratio of the data, shape (n_pairs,).
        family: Family of each pair, an index.
        seed: Of the random signs.
    """
    changed = doublings != 0
    change, expected, doublings, family = change[changed], expected[changed], doublings[changed], family[changed]
    names, index = np.unique(family, return_inverse=True)
    if len(names) < FEWEST_FAMILIES:
        return None
    counts = np.bincount(index)
    left, amount = (np.bincount(index, weights=x) / counts for x in (change - expected, doublings))
    length = float(amount @ amount)
    estimate = float(amount @ left) / length
    spread = float(((left - estimate * amount) ** 2).sum()) / (len(names) - 1)
    half = float(stats.t.ppf(0.95, len(names) - 1)) * float(np.sqrt(spread / length))
    test = sign_flips(amount * left, 9_999, np.random.default_rng([seed, 62]))
    return Dose(estimate, estimate - half, estimate + half, test, len(names))
