"""One score for a model that is on several boards whose scales differ: levels never mix, differences do.

R_mb = mu_b + q_m + gamma_mb + e_mb, with q ~ N(0, 100^2), gamma ~ N(0, omega^2), e ~ N(0, se^2) and a flat prior on the
level mu_b of each board. Given omega this is generalised least squares with a best linear unbiased prediction of q
(Henderson); omega itself is found by restricted likelihood where enough models share boards.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, stats

from moat.uncertainty.seeds import Floats

MODEL_SD = 100.0  # prior standard deviation of a model's quality, in rating points
DEFAULT_OMEGA = 35.0  # where too few models share boards to learn it: the assumption arena_cross_board_sd
MIN_SHARED = 8


@dataclass(frozen=True)
class Scores:
    """Quality of each model over boards, in rating points around 0.

    Attributes:
        mean: Shape (n_models,).
        covariance: Shape (n_models, n_models).
        omega: How far one model's rating strays between boards beyond voting noise.
        is_assumed: Whether omega is the assumption, as too few models share boards to learn it.
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
    model: npt.NDArray[np.intp], board: npt.NDArray[np.intp], rating: Floats, se: Floats, omega: float | None = None
) -> Scores:
    """Return scores of models 0 … max(model) from ratings on boards 0 … max(board); all inputs have one row a rating."""
    z, x = np.eye(model.max() + 1)[model], np.eye(board.max() + 1)[board]
    is_assumed = False
    if omega is None:
        boards_of = (z.T @ x > 0).sum(axis=1)
        enough = (boards_of > 1).sum() >= MIN_SHARED
        omega, is_assumed = (_most_likely(z, x, rating, se), False) if enough else (DEFAULT_OMEGA, True)
    inverse, level, _ = _levels(z, x, rating, se, omega)
    prior = MODEL_SD**2
    projected = inverse - inverse @ x @ linalg.solve(x.T @ inverse @ x, x.T @ inverse, assume_a="pos")
    mean = prior * z.T @ inverse @ (rating - x @ level)
    covariance = prior * np.eye(z.shape[1]) - prior**2 * z.T @ projected @ z
    return Scores(mean, covariance, float(omega), is_assumed)


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


def _most_likely(z: Floats, x: Floats, rating: Floats, se: Floats) -> float:
    """Return omega of the highest restricted likelihood, between 1 and 200 points."""
    found = optimize.minimize_scalar(
        lambda log_omega: _levels(z, x, rating, se, float(np.exp(log_omega)))[2],
        bounds=(0.0, float(np.log(200.0))),
        method="bounded",
    )
    return float(np.exp(found.x))
