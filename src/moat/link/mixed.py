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
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtri
from scipy.optimize import minimize

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

LOWEST, HIGHEST = -2.0, 7.0  # bounds of the logarithm of a standard deviation, in points: 0.14 to 1,100
START = (3.5, 3.5, 3.0)  # companies, models, residual
MOST_STEPS = 25
CONVERGED = 3e-4  # largest derivative of the restricted log likelihood by a logarithm of a standard deviation
RIDGE = 1e-6
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
        """Whether each entry is in each group of residuals, shape (n_spreads, n_entries)."""
        return np.asarray(np.arange(self.n_spreads)[:, None] == self.spread, dtype=np.float64)

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
        groups = self.groups
        return 1 / (self.variances[2:][groups.spread[groups.order]] + groups.se[groups.order] ** 2)

    @cached_property
    def _steps(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Inflation and precision of models, precision of companies, and their shrinkage."""
        by_model = self.groups.per_model(self.precision)
        inflation = 1 + self.variances[1] * by_model
        within = by_model / inflation
        by_company = self.groups.per_company(within)
        return inflation, within, by_company, self.variances[0] / (1 + self.variances[0] * by_company)

    @cached_property
    def ones(self) -> Floats:
        """Sorted rows of the inverse without companies, summed over the model of each."""
        return self.precision / self._steps[0][self.groups.model_of]

    @property
    def sorted_inverse(self) -> Floats:
        """V^-1 in sorted order, shape (n_entries, n_entries)."""
        groups, (inflation, _, _, shrinkage) = self.groups, self._steps
        company = groups.company_of[groups.model_of]
        out = np.where(company[:, None] == company, np.outer(-self.ones * shrinkage[company], self.ones), 0.0)
        shared = np.outer(-self.precision * (self.variances[1] / inflation)[groups.model_of], self.precision)
        out += np.where(groups.model_of[:, None] == groups.model_of, shared, 0.0)
        out[np.diag_indices_from(out)] += self.precision
        return np.asarray(out)

    @cached_property
    def log_determinant(self) -> float:
        """Logarithm of the determinant of V."""
        inflation, _, by_company, _ = self._steps
        companies = np.log1p(self.variances[0] * by_company).sum()
        return float(companies + np.log(inflation).sum() - np.log(self.precision).sum())

    def solve(self, z: Floats) -> Floats:
        """Return V^-1 z for z of shape (n_entries, k), in the order of the entries."""
        groups = self.groups
        inflation, _, _, shrinkage = self._steps
        weighted = self.precision[:, None] * z.take(groups.order, axis=0)
        within = groups.per_model(weighted) / inflation[:, None]
        companies = shrinkage[:, None] * groups.per_company(within)
        # A model's share of the company is its own sum of precisions over the inflation: one row a model serves both steps.
        shared = self.variances[1] * within + companies.take(groups.company_of, axis=0) / inflation[:, None]
        weighted -= self.precision[:, None] * shared.take(groups.model_of, axis=0)
        return np.asarray(weighted.take(groups.place, axis=0))

    def quadratics(self, a: Floats) -> Floats:
        """Return a' V_k a for every component k and every column of `a`, shape (n_components, k); a is in entry order."""
        models = self.groups.per_model(a.take(self.groups.order, axis=0))
        companies = self.groups.per_company(models)
        return np.vstack([(companies**2).sum(axis=0), (models**2).sum(axis=0), self.groups.in_spread @ a**2])

    def times_components(self, a: Floats) -> Floats:
        """Return V_k a for every component k, shape (n_entries, n_components), for `a` of shape (n_entries,)."""
        groups = self.groups
        models = groups.per_model(a.take(groups.order))
        companies = groups.per_company(models).take(groups.company_of)
        shared = np.column_stack([companies, models]).take(groups.model_of, axis=0).take(groups.place, axis=0)
        return np.hstack([shared, groups.in_spread.T * a[:, None]])

    @cached_property
    def traces(self) -> Floats:
        """Traces of V^-1 V_k for every component k."""
        groups = self.groups
        inflation, within, by_company, shrinkage = self._steps
        companies = (by_company / (1 + self.variances[0] * by_company)).sum()
        models = (within - within**2 * shrinkage[groups.company_of]).sum()
        diagonal = self.precision - self.precision**2 * (self.variances[1] / inflation)[groups.model_of]
        diagonal -= self.ones**2 * shrinkage[groups.company_of][groups.model_of]
        residual = np.bincount(groups.spread[groups.order], weights=diagonal, minlength=groups.n_spreads)
        return np.asarray(np.r_[companies, models, residual])


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
    def _solved(self) -> tuple[Floats, Floats, Floats]:
        both = self.v.solve(np.column_stack([self.x, self.y]))
        factor, failed = dpotrf(self.x.T @ both[:, :-1])  # LAPACK itself: a fit makes thousands of these small factors
        if failed:
            raise np.linalg.LinAlgError("the design is not of full rank: leave out columns that depend on others")
        return both[:, :-1], both[:, -1], factor

    def _inverse_times(self, right: Floats) -> Floats:
        """Return (X' V^-1 X)^-1 times a matrix or vector."""
        return np.asarray(dpotrs(self._solved[2], right)[0])

    @property
    def solved_x(self) -> Floats:
        """V^-1 X."""
        return self._solved[0]

    @cached_property
    def cov(self) -> Floats:
        """Covariance of the coefficients, (X' V^-1 X)^-1."""
        return self._inverse_times(np.eye(self.x.shape[1]))

    @cached_property
    def beta(self) -> Floats:
        """Coefficients."""
        return self._inverse_times(self.x.T @ self._solved[1])

    @cached_property
    def py(self) -> Floats:
        """P y, where P = V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1."""
        return np.asarray(self._solved[1] - self.solved_x @ self.beta)

    def p(self, a: Floats) -> Floats:
        """Return P a for columns of shape (n_entries, k)."""
        solved = self.v.solve(a)
        return np.asarray(solved - self.solved_x @ self._inverse_times(self.x.T @ solved))

    @cached_property
    def criterion(self) -> float:
        """Minus the restricted log likelihood, up to a constant."""
        log_det_x = 2 * np.log(np.abs(np.diag(self._solved[2]))).sum()
        return float(0.5 * (self.v.log_determinant + log_det_x + self.y @ self.py))

    @cached_property
    def gradient(self) -> Floats:
        """Return the derivatives of the covariance with respect to the logarithm of each standard deviation."""
        root = dtrtri(self._solved[2])[0]  # root root' = cov
        parts = self.v.quadratics(np.column_stack([self.solved_x @ root, self.py]))
        return np.asarray(self.v.variances * (self.v.traces - parts.sum(axis=1)))

    @cached_property
    def average_information(self) -> Floats:
        """Average of observed and expected information on the logarithms of the standard deviations (Gilmour and others 1995)."""
        moved = self.v.times_components(self.py)
        return np.asarray(2 * np.outer(self.v.variances, self.v.variances) * (moved.T @ self.p(moved)))

    @cached_property
    def information(self) -> Floats:
        """Expected information on the variances, half the traces of P V_j P V_k."""
        groups = self.v.groups
        solved = self.solved_x[groups.order]
        full = self.v.sorted_inverse - solved @ self._inverse_times(solved.T)
        spread = groups.in_spread[:, groups.order].T
        by_model = groups.per_model(full)
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
        column = (self.solved_x @ (self.cov @ contrast))[:, None]
        slope = self.v.quadratics(column)[:, 0]
        is_free = self.v.log_sd > LOWEST + 0.01
        variance = float(contrast @ self.cov @ contrast)
        # On one board a model has one entry: two components are then one, and the pseudo-inverse shares them.
        inverse = np.linalg.pinv(self.information[np.ix_(is_free, is_free)], rcond=1e-9, hermitian=True)
        return float(2 * variance**2 / (slope[is_free] @ inverse @ slope[is_free]))


def reml(groups: Groups, x: Floats, y: Floats, start: Floats | None = None) -> Projection:
    """Fit the standard deviations by restricted maximum likelihood and return the fit.

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
        is_free = ~((at.v.log_sd <= LOWEST) & (at.gradient > 0) | (at.v.log_sd >= HIGHEST) & (at.gradient < 0))
        if np.abs(at.gradient[is_free]).max(initial=0.0) < CONVERGED:
            return at
        curvature = _with_secant(at.average_information, moved, turned)[np.ix_(is_free, is_free)] + RIDGE * np.eye(
            int(is_free.sum())
        )
        step = np.zeros_like(at.v.log_sd)
        step[is_free] = np.clip(-np.linalg.solve(curvature, at.gradient[is_free]), -1.0, 1.0)
        after = Projection(Covariance(groups, np.clip(at.v.log_sd + step, LOWEST, HIGHEST)), x, y)
        if after.criterion > at.criterion + CONVERGED:
            break
        moved, turned = after.v.log_sd - at.v.log_sd, after.gradient - at.gradient
        at = after
    return _minimised(groups, x, y, at.v.log_sd)


def _with_secant(curvature: Floats, moved: Floats, turned: Floats) -> Floats:
    """Return a curvature that explains how the gradient turned on the last step (update of Broyden, Fletcher, Goldfarb, Shanno)."""
    if moved @ turned <= SAME_CURVATURE * (moved @ curvature @ moved):
        return curvature
    along = curvature @ moved
    return np.asarray(curvature - np.outer(along, along) / (moved @ along) + np.outer(turned, turned) / (moved @ turned))


def _minimised(groups: Groups, x: Floats, y: Floats, start: Floats) -> Projection:
    """Fit by a bounded quasi-Newton search, for the few fits on which Newton's steps overshoot."""

    def objective(log_sd: Floats) -> tuple[float, Floats]:
        at = Projection(Covariance(groups, log_sd), x, y)
        return at.criterion, at.gradient

    bounds = [(LOWEST, HIGHEST)] * len(start)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-5})
    return Projection(Covariance(groups, np.asarray(found.x)), x, y)
