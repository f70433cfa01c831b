"""One score for a model that is on several boards whose scales differ: levels never mix, differences do.

R_mb = mu_b + q_m + gamma_mb + e_mb, with q ~ N(0, 100^2), gamma ~ N(0, omega^2), e ~ N(0, se^2) and a flat prior on the
level mu_b of each board. Given omega this is generalised least squares with a best linear unbiased prediction of q
(Henderson); omega is the mode of its restricted likelihood times the prior that the table of assumptions gives it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, stats

from moat.uncertainty.quantiles import Split
from moat.uncertainty.seeds import Floats

MODEL_SD = 100.0  # prior standard deviation of a model's quality, in rating points
MIN_SHARED = 8  # models on several boards below which the prior of omega decides


@dataclass(frozen=True)
class Scores:
    """Quality of each model over boards, in rating points around 0.

    Attributes:
        mean: Shape (n_models,).
        covariance: Shape (n_models, n_models).
        omega: How far one model's rating strays between boards beyond voting noise.
        is_assumed: Whether omega rests on its prior, as too few models share boards.
    """

    mean: Floats
    covariance: Floats
    omega: float
    is_assumed: bool

    @property
    def sd(self) -> Floats:
        """Posterior standard deviations, shape (n_models,)."""
        return np.sqrt(np.diag(self.covariance))

    def p_greater(self, one: int, other: int) -> float:
        """Return the probability that one model is better than another."""
        c = self.covariance
        spread = np.sqrt(c[one, one] + c[other, other] - 2 * c[one, other])
        return float(stats.norm.cdf((self.mean[one] - self.mean[other]) / spread))


def cross_board_scores(
    model: npt.NDArray[np.intp], board: npt.NDArray[np.intp], rating: Floats, se: Floats, omega: Split
) -> Scores:
    """Return scores of models 0 … max(model) from ratings on boards 0 … max(board); all inputs have one row a rating.

    Args:
        model: Model of each rating.
        board: Board of each rating.
        rating: Ratings.
        se: Their standard errors.
        omega: Prior of the sd of one model's rating between boards; lognormal, or fixed.
    """
    z, x = np.eye(model.max() + 1)[model], np.eye(board.max() + 1)[board]
    is_assumed = bool(((z.T @ x > 0).sum(axis=1) > 1).sum() < MIN_SHARED)
    found = _most_likely(z, x, rating, se, omega)
    inverse, level, _ = _levels(z, x, rating, se, found)
    prior = MODEL_SD**2
    projected = inverse - inverse @ x @ linalg.solve(x.T @ inverse @ x, x.T @ inverse, assume_a="pos")
    mean = prior * z.T @ inverse @ (rating - x @ level)
    covariance = prior * np.eye(z.shape[1]) - prior**2 * z.T @ projected @ z
    return Scores(mean, covariance, found, is_assumed)


def _levels(z: Floats, x: Floats, rating: Floats, se: Floats, omega: float) -> tuple[Floats, Floats, float]:
    """Return the inverse covariance of ratings, the boards' levels, and minus the restricted log likelihood."""
    covariance = MODEL_SD**2 * z @ z.T + np.diag(omega**2 + se**2)
    factor = linalg.cho_factor(covariance, lower=True)
    inverse = linalg.cho_solve(factor, np.eye(len(rating)))
    information = x.T @ inverse @ x
    level = linalg.solve(information, x.T @ inverse @ rating, assume_a="pos")
    rest = rating - x @ level
    log_det = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(information)[1]
    return inverse, level, float(0.5 * (log_det + rest @ inverse @ rest))


def _most_likely(z: Floats, x: Floats, rating: Floats, se: Floats, omega: Split) -> float:
    """Return omega of the highest restricted likelihood times prior, within four standard normals of the prior's median."""
    if omega.distribution == "fixed":
        return omega.p50
    found = optimize.minimize_scalar(
        lambda normal: _levels(z, x, rating, se, float(omega.at(normal)))[2] + 0.5 * normal**2,
        bounds=(-4.0, 4.0),
        method="bounded",
    )
    return float(omega.at(found.x))
