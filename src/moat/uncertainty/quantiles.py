"""Distributions given by their 5th, 50th and 95th percentile, split at the median so that all three are met exactly.

A fitted beta cannot meet (0.01, 0.06, 0.25); the split form can, in one line. The value is a function of a standard
normal `z`, which makes the z the thing that is stored and shared, and scenarios comparable draw by draw.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, ndtr

from datamoat.errors import ContentError
from moat.uncertainty.seeds import Floats

Z95 = 1.6448536269514722  # the 95th percentile of the standard normal
PERCENTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
DISTRIBUTIONS = ("lognormal", "beta", "normal", "uniform", "fixed")


def percentiles(draws: Floats) -> Floats:
    """Return the 5th, 50th and 95th percentile and the Monte Carlo error of the median of every row, shape (4, rows).

    Percentiles interpolate linearly between order statistics, as numpy.quantile and DuckDB's quantile_cont do. The error is half
    the distance between the order statistics sqrt(n) / 2 below and above the median: its standard error for independent draws,
    and an upper bound for stratified ones. A row with a nan is nan.

    Args:
        draws: Shape (rows, n).
    """
    ordered = np.sort(draws, axis=1)
    n = ordered.shape[1]
    half = np.sqrt(n) / 2 / (n - 1) if n > 1 else 0.0
    found = []
    for q in (*PERCENTILES.values(), 0.5 - half, 0.5 + half):
        at = min(max(q, 0.0), 1.0) * (n - 1)
        low = int(at)
        below, above = ordered[:, low], ordered[:, min(low + 1, n - 1)]
        found.append(below + (above - below) * (at - low))
    return np.asarray([*found[:3], (found[4] - found[3]) / 2])


class Split(NamedTuple):
    """One uncertain number: the name of its distribution and three percentiles, in its own unit."""

    distribution: str
    p05: float
    p50: float
    p95: float

    def checked(self, name: str) -> "Split":
        """Return self, or say what is wrong with it.

        Raises:
            ContentError: The distribution is unknown, the percentiles are out of order, or outside its range.
        """
        ordered = self.p05 <= self.p50 <= self.p95
        positive = self.distribution != "lognormal" or self.p05 > 0
        share = self.distribution != "beta" or 0 < self.p05 <= self.p95 < 1
        equal = self.distribution != "fixed" or self.p05 == self.p50 == self.p95
        if self.distribution in DISTRIBUTIONS and ordered and positive and share and equal:
            return self
        raise ContentError(
            f"{name}: {self.distribution} with percentiles {self.p05}, {self.p50}, {self.p95} is not a distribution",
            "data/reference/assumptions.csv",
            f"give p05 <= p50 <= p95, above 0 for lognormal, inside (0, 1) for beta, all three equal for fixed, and one of {DISTRIBUTIONS}.",
        )

    def at(self, z: Floats | float) -> Floats:
        """Return the value at standard normal `z`, same shape."""
        z = np.asarray(z, dtype=np.float64)
        match self.distribution:
            case "lognormal":
                below, above = np.log(self.p50 / self.p05), np.log(self.p95 / self.p50)
                return np.asarray(self.p50 * np.exp(z * np.where(z < 0, below, above) / Z95))
            case "beta":
                centre = logit(self.p50)
                below, above = centre - logit(self.p05), logit(self.p95) - centre
                return np.asarray(expit(centre + z * np.where(z < 0, below, above) / Z95))
            case "normal":
                return np.asarray(self.p50 + z * np.where(z < 0, self.p50 - self.p05, self.p95 - self.p50) / Z95)
            case "uniform":
                width = (self.p95 - self.p05) / 0.9
                return np.asarray(self.p05 - 0.05 * width + width * ndtr(z))
            case _:
                return np.full_like(z, self.p50)

    def slope(self, z: float, step: float = 1e-4) -> float:
        """Return the derivative of `at` with respect to z, by central differences."""
        return float((self.at(z + step) - self.at(z - step)) / (2 * step))

    @property
    def sd(self) -> float:
        """Half the distance between the outer percentiles in standard normals: the sd where the shape is normal."""
        return (self.p95 - self.p05) / (2 * Z95)

    @property
    def log_sd(self) -> float:
        """The same on the log scale."""
        return float(np.log(self.p95 / self.p05) / (2 * Z95))

    def widened(self, factor: float) -> "Split":
        """Return the same median with every distance from it multiplied, on the scale the distribution lives on."""
        match self.distribution:
            case "lognormal":
                return self._replace(
                    p05=self.p50 * (self.p05 / self.p50) ** factor, p95=self.p50 * (self.p95 / self.p50) ** factor
                )
            case "beta":
                centre = logit(self.p50)
                low, high = (centre + factor * (logit(x) - centre) for x in (self.p05, self.p95))
                return self._replace(p05=float(expit(low)), p95=float(expit(high)))
            case "fixed":
                return self
            case _:
                return self._replace(p05=self.p50 + factor * (self.p05 - self.p50), p95=self.p50 + factor * (self.p95 - self.p50))
