"""The mixed model is the one of the textbooks: dense algebra, numeric derivatives and statsmodels agree."""

import numpy as np
import pandas as pd
import pytest
from fields import PUBLISHED, made_field, real_field
from scipy.optimize import minimize
from statsmodels.regression.mixed_linear_model import MixedLM

from moat.link.field import Field
from moat.link.mixed import HIGHEST, LOWEST, Covariance, Floats, Groups, Projection, reml, sums_of_known

AT = np.array([3.1, 3.2, 2.9, 2.5, 3.3, 2.7])


def dense(groups: Groups, variances: Floats) -> tuple[Floats, list[Floats]]:
    """Return V and its components as full matrices."""
    parts = [
        (groups.company[:, None] == groups.company).astype(float),
        ((groups.model[:, None] == groups.model) & (groups.company[:, None] == groups.company)).astype(float),
        *(np.diag((groups.spread == k).astype(float)) for k in range(groups.n_spreads)),
    ]
    return sum(v * part for v, part in zip(variances, parts, strict=True)) + np.diag(groups.se**2), parts


def test_the_inverse_the_determinant_and_the_information_are_those_of_full_matrices() -> None:
    field = made_field(1)
    at = Projection(Covariance(field.groups, AT), field.base, field.rating)
    v, parts = dense(field.groups, at.v.variances)
    inverse = np.linalg.inv(v)
    x = field.base
    p = inverse - inverse @ x @ np.linalg.inv(x.T @ inverse @ x) @ x.T @ inverse
    np.testing.assert_allclose(at.v.solve(x), inverse @ x, atol=1e-12)
    assert at.v.log_determinant == pytest.approx(np.linalg.slogdet(v)[1], abs=1e-9)
    np.testing.assert_allclose(at.py, p @ field.rating, atol=1e-10)
    np.testing.assert_allclose(at.v.traces, [np.trace(inverse @ part) for part in parts], rtol=1e-9)
    expected = [[0.5 * np.trace(p @ a @ p @ b) for b in parts] for a in parts]
    np.testing.assert_allclose(at.information, expected, rtol=1e-8)
    average = [
        [2 * va * vb * (p @ field.rating) @ a @ p @ b @ (p @ field.rating) for b, vb in zip(parts, at.v.variances, strict=True)]
        for a, va in zip(parts, at.v.variances, strict=True)
    ]
    np.testing.assert_allclose(at.average_information, average, rtol=1e-7)


def test_the_gradient_is_the_numeric_derivative_of_the_restricted_likelihood() -> None:
    field = made_field(2)

    def criterion(log_sd: Floats) -> float:
        return Projection(Covariance(field.groups, log_sd), field.base, field.rating).criterion

    numeric = [(criterion(AT + step) - criterion(AT - step)) / 2e-5 for step in 1e-5 * np.eye(len(AT))]
    at = Projection(Covariance(field.groups, AT), field.base, field.rating)
    np.testing.assert_allclose(at.gradient, numeric, rtol=1e-5, atol=1e-5)


def test_sums_over_known_entries_are_those_of_full_matrices() -> None:
    field = made_field(3)
    n, z = len(field.rating), np.column_stack([field.base, field.rating])
    known = field.day < np.quantile(field.day, [0.4, 1.0])[:, None]
    variances = np.exp(2 * np.stack([AT, AT + 0.2]))
    products, sums = sums_of_known(field.groups, z, variances, known)
    w = np.column_stack([z, np.ones(n)])
    for i, chosen in enumerate(known):
        inverse = np.linalg.inv(dense(field.groups, variances[i])[0][np.ix_(chosen, chosen)])
        np.testing.assert_allclose(products[i], w[chosen].T @ inverse @ w[chosen], rtol=1e-8, atol=1e-9)
        of_company = np.eye(len(sums[i]))[field.groups.company[chosen]]
        np.testing.assert_allclose(sums[i], of_company.T @ inverse @ w[chosen], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(20, 32))
def test_a_bounded_search_by_a_library_finds_no_more_likely_standard_deviations(seed: int) -> None:
    whole = made_field(seed)
    field = whole.only(np.isin(np.arange(len(whole.rating)), np.random.default_rng(seed).permutation(len(whole.rating))[:90]))
    x = field.base

    def objective(log_sd: Floats) -> tuple[float, Floats]:
        at = Projection(Covariance(field.groups, log_sd), x, field.rating)
        return at.criterion, at.gradient

    fit = reml(field.groups, x, field.rating)
    bounds = [(LOWEST, HIGHEST)] * len(fit.v.log_sd)
    start = np.full(len(bounds), 3.0)
    searched = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-6})
    assert fit.criterion <= searched.fun + 1e-4
    again = reml(field.groups, x, field.rating, np.full(len(bounds), LOWEST + 0.1))
    assert again.criterion <= searched.fun + 1e-4


def compare_with_statsmodels(field: Field) -> None:
    """Fit one residual spread and no known errors, as statsmodels can, and compare coefficients in standard errors."""
    plain = Groups(field.groups.company, field.groups.model, np.zeros_like(field.groups.spread), np.zeros(len(field.rating)))
    x = np.hstack([field.base, field.owns[:, None]])
    ours = reml(plain, x, field.rating)
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(
        y=field.rating, company=plain.company, model=plain.model
    )
    formula = "y ~ 0 + " + " + ".join(frame.columns[: x.shape[1]])
    theirs = MixedLM.from_formula(formula, groups="company", re_formula="1", vc_formula={"m": "0 + C(model)"}, data=frame).fit(
        reml=True, method=["bfgs", "cg"]
    )
    errors = theirs.bse_fe.to_numpy()
    assert np.abs((theirs.fe_params.to_numpy() - ours.beta) / errors).max() < 1e-3
    np.testing.assert_allclose(np.sqrt(np.diag(ours.cov)), errors, rtol=0.05)  # theirs are of the joint Hessian
    variances = np.array([theirs.cov_re.to_numpy()[0, 0], theirs.vcomp[0], theirs.scale])
    at_theirs = Projection(Covariance(plain, 0.5 * np.log(variances)), x, field.rating)
    assert ours.criterion <= at_theirs.criterion + 1e-6
    np.testing.assert_allclose(at_theirs.beta, theirs.fe_params, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_coefficients_agree_with_statsmodels_on_simulated_fields(seed: int) -> None:
    compare_with_statsmodels(made_field(seed))


@pytest.mark.skipif(not PUBLISHED.exists(), reason="nothing is published")
def test_coefficients_agree_with_statsmodels_on_the_real_boards() -> None:
    compare_with_statsmodels(real_field(n_draws=5))


def test_a_contrast_between_balanced_companies_has_the_degrees_of_freedom_of_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(6)
    company = np.repeat(np.arange(12), 5)
    owns = (company < 4).astype(float)
    x = np.column_stack([np.ones(60), owns])
    y = 30 * rng.normal(size=12)[company] + 10 * rng.normal(size=60)
    groups = Groups(company, np.arange(60), np.zeros(60, dtype=int), np.zeros(60))
    fit = reml(groups, x, y)
    assert fit.degrees_of_freedom(np.array([0.0, 1.0])) == pytest.approx(10, rel=1e-3)


def test_a_spread_of_zero_is_found_at_the_bound() -> None:
    rng = np.random.default_rng(7)
    company = np.repeat(np.arange(10), 8)
    model = np.repeat(np.arange(20), 4)
    y = 10 * rng.normal(size=80)
    y -= np.bincount(company, y)[company] / 8  # companies differ by less than chance
    fit = reml(Groups(company, model, np.zeros(80, dtype=int), np.zeros(80)), np.ones((80, 1)), y)
    assert np.exp(fit.v.log_sd[0]) < 0.5
