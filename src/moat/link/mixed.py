"""A linear mixed model with random companies, random models within companies and known standard errors, fitted by REML.

The covariance of the ratings is V = tau_c^2 (same company) + tau_m^2 (same model) + diag(sigma_group^2 + se^2). Models are
nested in companies, so that V is inverted by two steps of Woodbury's identity on group sums: a fit of 250 entries takes
milliseconds. Degrees of freedom are Satterthwaite's (Giesbrecht and Burns 1985); the gradient of the restricted likelihood
is that of Lindstrom and Bates (1988).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dpotrf, dtrtri

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

LOWEST, HIGHEST = -2.0, 7.0  # bounds of the logarithm of a standard deviation, in points: 0.14 to 1,100
START = (3.5, 3.5, 3.0)  # companies, models, residual
MOST_STEPS = 60
MOST_HALVINGS = 20
FARTHEST = (-0.999, 5.0)  # a step takes a standard deviation at most to a thousandth or to six times of itself
CONVERGED = 3e-4  # largest derivative of the restricted log likelihood by the logarithm of a standard deviation
RIDGE = 1e-6
ROUNDING = 1e-8  # the restricted log likelihood is computed to this
SAME_CURVATURE = 0.1  # a last step that shows less than this share of the average information is not trusted


@dataclass(frozen=True)
class Groups:
    """Which entries share a company, a model and a residual spread; every array has shape (n_entries,).

    Attributes:
        company: Index of the company.
        model: Index of the model; equal indices in two companies are two models.
        spread: Index of the group (a board) whose residuals share a standard deviation.
        se: Known standard error of each rating, in points.
    """

    company: Indices
    model: Indices
    spread: Indices
    se: Floats

    @cached_property
    def order(self) -> Indices:
        """Entries sorted by company, then by model."""
        return np.lexsort((self.model, self.company))

    @cached_property
    def place(self) -> Indices:
        """The place of each entry among the sorted ones."""
        return np.argsort(self.order)

    @cached_property
    def _cuts(self) -> tuple[Indices, Indices]:
        company, model = self.company[self.order], self.model[self.order]
        is_new = np.r_[True, (np.diff(company) != 0) | (np.diff(model) != 0)]
        models = np.flatnonzero(is_new)
        return models, np.flatnonzero(np.r_[True, np.diff(company[models]) != 0])

    @property
    def model_cuts(self) -> Indices:
        """First sorted entry of each model."""
        return self._cuts[0]

    @property
    def company_cuts(self) -> Indices:
        """First model of each company."""
        return self._cuts[1]

    @cached_property
    def model_of(self) -> Indices:
        """The model of each sorted entry, counted from zero."""
        return np.repeat(np.arange(len(self.model_cuts)), np.diff(np.r_[self.model_cuts, len(self.order)]))

    @cached_property
    def company_of(self) -> Indices:
        """The company of each model, counted from zero."""
        return np.repeat(np.arange(len(self.company_cuts)), np.diff(np.r_[self.company_cuts, len(self.model_cuts)]))

    @cached_property
    def n_spreads(self) -> int:
        """How many groups of residuals there are."""
        return int(self.spread.max()) + 1

    @cached_property
    def in_spread(self) -> Floats:
        """Whether each sorted entry is in each group of residuals, shape (n_entries, n_spreads)."""
        return np.asarray(self.spread[self.order, None] == np.arange(self.n_spreads), dtype=np.float64)

    @cached_property
    def variance(self) -> Floats:
        """Square of the known standard error of each sorted entry."""
        return np.asarray(self.se[self.order] ** 2)

    @cached_property
    def is_of_company(self) -> npt.NDArray[np.bool_]:
        """Whether each sorted entry is of the company of each model, shape (n_models, n_entries)."""
        return np.asarray(self.company_of[:, None] == self.company_of.take(self.model_of))

    def per_model(self, sorted_values: Floats) -> Floats:
        """Sum sorted rows by model."""
        return np.asarray(np.add.reduceat(sorted_values, self.model_cuts, axis=0))

    def per_company(self, by_model: Floats) -> Floats:
        """Sum rows of models by company."""
        return np.asarray(np.add.reduceat(by_model, self.company_cuts, axis=0))


@dataclass(frozen=True)
class Covariance:
    """The covariance V of the ratings at given standard deviations.

    Attributes:
        groups: Who shares what.
        log_sd: Logarithms of the standard deviations of companies, models and each group of residuals.
    """

    groups: Groups
    log_sd: Floats

    @cached_property
    def variances(self) -> Floats:
        """Squares of the standard deviations, in the order of `log_sd`."""
        return np.asarray(np.exp(2 * self.log_sd))

    @cached_property
    def precision(self) -> Floats:
        """Inverse of the residual variance of each sorted entry."""
        return np.asarray(1 / (self.groups.in_spread @ self.variances[2:] + self.groups.variance))

    @cached_property
    def _steps(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Inflation and precision of models, precision of companies, and their shrinkage."""
        by_model = self.groups.per_model(self.precision)
        inflation = 1 + self.variances[1] * by_model
        within = by_model / inflation
        by_company = self.groups.per_company(within)
        return inflation, within, by_company, self.variances[0] / (1 + self.variances[0] * by_company)

    def sorted_inverse(self) -> tuple[Floats, Floats]:
        """Return V^-1 of sorted entries, shape (n_entries, n_entries), and its sums by model, shape (n_models, n_entries)."""
        groups, (inflation, within, _, shrinkage) = self.groups, self._steps
        ones = self.precision / inflation.take(groups.model_of)
        models = np.outer(-within * shrinkage.take(groups.company_of), ones) * groups.is_of_company
        models[groups.model_of, np.arange(len(ones))] += ones
        shared = self.variances[1] * models + (self.variances[0] * groups.per_company(models)).take(groups.company_of, axis=0)
        full = -self.precision[:, None] * shared.take(groups.model_of, axis=0)
        full[np.diag_indices_from(full)] += self.precision
        return full, models

    @cached_property
    def log_determinant(self) -> float:
        """Logarithm of the determinant of V."""
        inflation, _, by_company, _ = self._steps
        companies = np.log1p(self.variances[0] * by_company).sum()
        return float(companies + np.log(inflation).sum() - np.log(self.precision).sum())

    def solve(self, z: Floats) -> Floats:
        """Return V^-1 z for z of shape (n_entries, k), in the order of the entries."""
        return np.asarray(self.solve_sorted(z.take(self.groups.order, axis=0))[0].take(self.groups.place, axis=0))

    def solve_sorted(self, z: Floats) -> tuple[Floats, Floats]:
        """Return V^-1 z and its sums by model for sorted z of shape (n_entries, k)."""
        groups = self.groups
        inflation, precision, _, shrinkage = self._steps
        weighted = self.precision[:, None] * z
        within = groups.per_model(weighted) / inflation[:, None]
        companies = (shrinkage[:, None] * groups.per_company(within)).take(groups.company_of, axis=0)
        # A model's share of the company is its own sum of precisions over the inflation: one row a model serves both steps.
        shared = self.variances[1] * within + companies / inflation[:, None]
        weighted -= self.precision[:, None] * shared.take(groups.model_of, axis=0)
        return weighted, within - precision[:, None] * companies

    @cached_property
    def traces(self) -> Floats:
        """Traces of V^-1 V_k for every component k."""
        groups = self.groups
        inflation, within, by_company, shrinkage = self._steps
        of_company = shrinkage.take(groups.company_of)
        lost = ((self.variances[1] + of_company / inflation) / inflation).take(groups.model_of)  # of a squared precision
        residual = (self.precision - self.precision**2 * lost) @ groups.in_spread
        return np.asarray([by_company @ shrinkage / self.variances[0], within.sum() - within**2 @ of_company, *residual])


def sums_of_known(groups: Groups, z: Floats, variances: Floats, known: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return W' V^-1 W and the sums of V^-1 W by company, where W is Z and a column of ones, for several sets of entries.

    An entry that is not known has no precision.

    Args:
        groups: Who shares what among all entries; companies numbered without gaps.
        z: Columns, shape (n_entries, k).
        variances: Of companies, models and each group of residuals, shape (n_sets, n_components).
        known: Whether each set has each entry, shape (n_sets, n_entries).

    Returns:
        Products, shape (n_sets, k + 1, k + 1), and sums, shape (n_sets, n_companies, k + 1).
    """
    order, of_company, of_model = groups.order, variances[:, 0, None, None], variances[:, 1, None, None]
    w = np.column_stack([z, np.ones(len(z))])[order]
    precision = known[:, order] / (variances[:, 2 + groups.spread[order]] + groups.se[order] ** 2)
    weighted = precision[:, :, None] * w
    by_model = np.add.reduceat(weighted, groups.model_cuts, axis=1)
    within = by_model / (1 + of_model * by_model[:, :, -1:])
    by_company = np.add.reduceat(within, groups.company_cuts, axis=1)
    sums = by_company / (1 + of_company * by_company[:, :, -1:])
    products = w.T @ weighted - of_model * (by_model.mT @ within) - of_company * (by_company.mT @ sums)
    return products, sums


@dataclass(frozen=True)
class Projection:
    """Generalised least squares on a design at a given covariance.

    Attributes:
        v: The covariance.
        x: Design, shape (n_entries, n_columns), of full rank.
        y: Ratings, shape (n_entries,).
    """

    v: Covariance
    x: Floats
    y: Floats

    @cached_property
    def _solved(self) -> tuple[Floats, Floats]:
        """V^-1 [X y] of sorted entries and its sums by model."""
        return self.v.solve_sorted(self._sorted)

    @cached_property
    def _sorted(self) -> Floats:
        """[X y] of sorted entries."""
        return np.column_stack([self.x, self.y]).take(self.v.groups.order, axis=0)

    @cached_property
    def _factor(self) -> Floats:
        """Upper triangular F, where F' F = [X y]' V^-1 [X y]: the square of its last number is y' P y."""
        factor, failed = dpotrf(self._sorted.T @ self._solved[0])  # LAPACK itself: a fit makes thousands of small factors
        if failed:
            raise np.linalg.LinAlgError("the design is not of full rank: leave out columns that depend on others")
        return np.asarray(factor)

    @cached_property
    def _turn(self) -> Floats:
        """What turns [X y] into [X root, y - X beta], where root root' = (X' V^-1 X)^-1."""
        turn = dtrtri(self._factor)[0]
        turn[:, -1] *= self._factor[-1, -1]
        return np.asarray(turn)

    @cached_property
    def _turned(self) -> tuple[Floats, Floats, Floats]:
        """[V^-1 X root, P y] of sorted entries, by model and by company."""
        models = self._solved[1] @ self._turn
        return self._solved[0] @ self._turn, models, self.v.groups.per_company(models)

    @property
    def solved_x(self) -> Floats:
        """V^-1 X."""
        return np.asarray(self._solved[0][:, :-1].take(self.v.groups.place, axis=0))

    @cached_property
    def cov(self) -> Floats:
        """Covariance of the coefficients, (X' V^-1 X)^-1."""
        root = self._turn[:-1, :-1]
        return np.asarray(root @ root.T)

    @property
    def beta(self) -> Floats:
        """Coefficients."""
        return np.asarray(-self._turn[:-1, -1])

    @property
    def py(self) -> Floats:
        """P y, where P = V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1."""
        return np.asarray(self._turned[0][:, -1].take(self.v.groups.place))

    def p(self, a: Floats) -> Floats:
        """Return P a for columns of shape (n_entries, k)."""
        return np.asarray(self.v.solve(a) - self.solved_x @ (self.cov @ (self.solved_x.T @ a)))

    @cached_property
    def criterion(self) -> float:
        """Minus the restricted log likelihood, up to a constant."""
        diagonal = np.diag(self._factor)
        return float(0.5 * (self.v.log_determinant + diagonal[-1] ** 2) + np.log(diagonal[:-1]).sum())

    @cached_property
    def gradient(self) -> Floats:
        """Return the derivatives of the criterion with respect to the logarithm of each standard deviation."""
        entries, models, companies = self._turned
        residual = np.einsum("ij,ij->i", entries, entries) @ self.v.groups.in_spread
        parts = np.array([np.vdot(companies, companies), np.vdot(models, models), *residual])
        return np.asarray(self.v.variances * (self.v.traces - parts))

    @cached_property
    def average_information(self) -> Floats:
        """Average of observed and expected information on the logarithms of the standard deviations (Gilmour and others 1995)."""
        groups, (entries, models, companies) = self.v.groups, self._turned
        shared = np.column_stack([companies[:, -1].take(groups.company_of), models[:, -1]]).take(groups.model_of, axis=0)
        moved = np.hstack([shared, groups.in_spread * entries[:, -1:]])  # V_k P y for every component k
        along = entries[:, :-1].T @ moved
        information = moved.T @ self.v.solve_sorted(moved)[0] - along.T @ along
        return np.asarray(2 * self.v.variances * self.v.variances[:, None] * information)

    @cached_property
    def information(self) -> Floats:
        """Expected information on the variances, half the traces of P V_j P V_k."""
        groups, spread = self.v.groups, self.v.groups.in_spread
        full, by_model = self.v.sorted_inverse()
        turned = self._turned[0][:, :-1]
        full -= turned @ turned.T
        by_model -= self._turned[1][:, :-1] @ turned.T
        by_company = groups.per_company(by_model)
        k = 2 + groups.n_spreads
        out = np.zeros((k, k))
        for i, part in enumerate((by_company, by_model)):
            of_models = groups.per_model(part.T)
            out[i, :2] = (groups.per_company(of_models) ** 2).sum(), (of_models**2).sum()
            out[i, 2:] = out[2:, i] = (part**2).sum(axis=0) @ spread
        out[2:, 2:] = spread.T @ full**2 @ spread
        return out / 2

    def degrees_of_freedom(self, contrast: Floats) -> float:
        """Return Satterthwaite's degrees of freedom of a contrast of the coefficients, shape (n_columns,)."""
        along = np.r_[self.cov @ contrast, 0.0]
        models = self._solved[1] @ along
        slope = np.r_[
            (self.v.groups.per_company(models) ** 2).sum(),
            (models**2).sum(),
            (self._solved[0] @ along) ** 2 @ self.v.groups.in_spread,
        ]
        is_free = self.v.log_sd > LOWEST + 0.01
        variance = float(contrast @ self.cov @ contrast)
        # On one board a model has one entry: two components are then one, and the pseudo-inverse shares them.
        inverse = np.linalg.pinv(self.information[np.ix_(is_free, is_free)], rcond=1e-9, hermitian=True)
        return float(2 * variance**2 / (slope[is_free] @ inverse @ slope[is_free]))


def reml(groups: Groups, x: Floats, y: Floats, start: Floats | None = None) -> Projection:
    """Fit the standard deviations by restricted maximum likelihood and return the fit.

    Newton's steps are of the standard deviations themselves, in shares of each: one that goes to zero gets there in one step,
    where steps of its logarithm or its square would creep or overshoot. A step that makes the ratings less likely is halved.

    Args:
        groups: Who shares a company, a model and a residual spread.
        x: Design, shape (n_entries, n_columns), of full rank.
        y: Ratings, in points, shape (n_entries,).
        start: Logarithms of the standard deviations to start from; those of a similar fit save half the time.
    """
    log_sd = np.r_[START[:2], np.repeat(START[2], groups.n_spreads)] if start is None else start
    at = Projection(Covariance(groups, log_sd), x, y)
    moved = turned = np.zeros_like(log_sd)
    for _ in range(MOST_STEPS):
        slope = at.gradient
        is_free = ~((at.v.log_sd <= LOWEST) & (slope > 0) | (at.v.log_sd >= HIGHEST) & (slope < 0))
        # Close to zero the slope by the logarithm is flat everywhere: there the slope by the variance counts.
        if np.abs(is_free * slope / np.minimum(at.v.variances, 1.0)).max() < CONVERGED:
            break
        # The slope by a logarithm is a part of the curvature by the standard deviation. Where it is negative, the part of it taken
        # is positive and small, so that a standard deviation about which the ratings say little yet does not run away.
        curvature = _with_secant(at.average_information, moved, turned) * (is_free & is_free[:, None])
        curvature[np.diag_indices_from(curvature)] += np.where(is_free, np.maximum(slope, -slope / FARTHEST[1]) + RIDGE, 1.0)
        shares = -np.linalg.solve(curvature, slope * is_free)
        for halvings in range(MOST_HALVINGS):
            to = at.v.log_sd + np.log1p(np.clip(shares / 2**halvings, *FARTHEST))
            after = Projection(Covariance(groups, np.clip(to, LOWEST, HIGHEST)), x, y)
            if after.criterion <= at.criterion + ROUNDING:
                break
        else:
            break
        moved, turned = after.v.log_sd - at.v.log_sd, after.gradient - slope
        at = after
    return at


def _with_secant(curvature: Floats, moved: Floats, turned: Floats) -> Floats:
    """Return a curvature that explains how the gradient turned on the last step (update of Broyden, Fletcher, Goldfarb, Shanno)."""
    if moved @ turned <= SAME_CURVATURE * (moved @ curvature @ moved):
        return curvature
    along = curvature @ moved
    return np.asarray(curvature - np.outer(along, along) / (moved @ along) + np.outer(turned, turned) / (moved @ turned))
