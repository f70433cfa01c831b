"""Draws are combined by their likelihood or by Rubin's rules, and permutations are what they say."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from fields import made_field, ratings
from scipy import stats
from scipy.special import logsumexp

from moat.link.effects import (
    Drawn,
    _statistic,
    _statistic_of_every_subset,
    _subsets,
    coefficient,
    independent,
    permute_labels,
    permute_paths,
    sign_flips,
)
from moat.link.mixed import Floats, Projection, reml


def test_equal_draws_are_combined_by_the_formulas_of_rubin() -> None:
    field = made_field(1)
    tested = field.drawn(field.hours.log_hours)
    base = np.hstack([field.base, field.owns[:, None]])
    found, fit = coefficient(field.groups, base, field.rating, tested, is_integrated=False)
    estimates, variances, _ = alone(base, field.rating, fit, tested)
    assert found.estimate == pytest.approx(estimates.mean())
    assert found.within_se == pytest.approx(np.sqrt(variances.mean()))
    total = variances.mean() + (1 + 1 / len(estimates)) * estimates.var()
    assert found.se == pytest.approx(np.sqrt(total))
    assert sum(found.interval) / 2 == pytest.approx(found.estimate)
    assert found.interval[1] - found.estimate == pytest.approx(stats.t.ppf(0.95, found.df) * np.sqrt(total))


def alone(base: Floats, y: Floats, fit: Projection, tested: Drawn) -> tuple[Floats, Floats, Floats]:
    """Return coefficient, variance and highest log likelihood of each draw of one regressor, from full matrices."""
    inverse = fit.v.solve(np.eye(len(y)))
    rows = []
    for s in range(tested.values.shape[1]):
        x = np.hstack([base, tested.basis @ tested.values[:, s]])
        cov = np.linalg.inv(x.T @ inverse @ x)
        beta = cov @ x.T @ inverse @ y
        rows.append((beta[-1], cov[-1, -1], -0.5 * (y - x @ beta) @ inverse @ (y - x @ beta)))
    estimates, variances, highest = np.array(rows).T
    return estimates, variances, highest


@pytest.mark.parametrize("is_integrated", [True, False])
@pytest.mark.parametrize("left", [0.0, 1e-9])
def test_a_draw_in_which_hours_and_shares_are_one_number_says_nothing(is_integrated: bool, left: float) -> None:
    field = made_field(1)
    field = replace(field, rating=ratings(field, np.random.default_rng(5), amount=30.0))
    tested = field.drawn(field.hours.log_hours, field.hours.log_share)
    base = np.hstack([field.base, field.owns[:, None]])
    values = tested.values.copy()
    values[:, 0, 1] = 2 * values[:, 0, 0] + left * values[:, 0, 1]
    found, _ = coefficient(field.groups, base, field.rating, Drawn(tested.basis, values), is_integrated=is_integrated)
    without, _ = coefficient(field.groups, base, field.rating, Drawn(tested.basis, values[:, 1:]), is_integrated=is_integrated)
    close = 0.1 * without.se
    assert (found.estimate, *found.interval) == pytest.approx((without.estimate, *without.interval), abs=close)
    assert found.se == pytest.approx(without.se, rel=0.05)


def test_regressors_that_are_one_number_in_every_draw_are_refused() -> None:
    field = made_field(1)
    hours = field.drawn(field.hours.log_hours).values
    twice = Drawn(field.drawn(field.hours.log_hours).basis, np.concatenate([hours, 2 * hours], axis=2))
    base = np.hstack([field.base, field.owns[:, None]])
    with pytest.raises(np.linalg.LinAlgError):
        coefficient(field.groups, base, field.rating, twice)


def test_the_interval_holds_what_the_likelihood_integrated_over_draws_does_not_rule_out() -> None:
    # By brute force: the likelihood of 20,001 values in every draw, with full matrices.
    field = made_field(1, n_owners=8)
    field = replace(field, rating=ratings(field, np.random.default_rng(5), amount=30.0))
    tested = field.drawn(field.hours.log_hours)
    base = np.hstack([field.base, field.owns[:, None]])
    found, fit = coefficient(field.groups, base, field.rating, tested)
    estimates, variances, highest = alone(base, field.rating, fit, tested)
    at = np.linspace(-100, 200, 20_001)[:, None]
    likelihood = logsumexp(highest - 0.5 * (at - estimates) ** 2 / variances, axis=1)
    assert found.estimate == pytest.approx(at[likelihood.argmax(), 0], abs=0.02)
    inside = at[likelihood >= likelihood.max() - 0.5 * stats.t.ppf(0.95, found.df) ** 2, 0]
    assert found.interval == pytest.approx((inside[0], inside[-1]), abs=0.03)

    def at_one(value: float) -> Floats:
        return np.asarray(highest - 0.5 * (value - estimates) ** 2 / variances)

    # The delta method: every draw moves the highest point by its share times its slope over the curvature.
    best, step = found.estimate, 1e-2
    shares = np.exp(at_one(best) - logsumexp(at_one(best)))
    slopes = (estimates - best) / variances
    curvature = -float(np.diff([logsumexp(at_one(best + k * step)) for k in (-1, 0, 1)], 2)[0]) / step**2
    assert found.mc_se == pytest.approx(float(np.sqrt((shares**2 * slopes**2).sum())) / curvature, rel=1e-3)
    assert 0 < found.mc_se < found.se


@pytest.mark.parametrize("is_integrated", [True, False])
def test_spreads_are_fitted_at_the_mean_over_draws_that_the_estimate_weights(is_integrated: bool) -> None:
    field = made_field(1, n_owners=8)
    field = replace(field, rating=ratings(field, np.random.default_rng(5), amount=30.0))
    tested = field.drawn(field.hours.log_hours)
    base = np.hstack([field.base, field.owns[:, None]])
    _, fit = coefficient(field.groups, base, field.rating, tested, is_integrated=is_integrated)
    plain = reml(field.groups, np.hstack([base, tested.mean()]), field.rating)
    _, variances, highest = alone(base, field.rating, plain, tested)
    mass = np.exp(highest - highest.max()) * np.sqrt(variances) if is_integrated else np.ones(len(highest))
    regressors = tested.basis @ tested.values[:, :, 0]
    np.testing.assert_allclose(fit.x[:, -1], regressors @ mass / mass.sum(), rtol=1e-6, atol=1e-9)


def test_a_regressor_without_draws_has_the_usual_interval_of_t() -> None:
    field = made_field(1)
    found, fit = coefficient(field.groups, field.base, field.rating, Drawn.fixed(field.owns[:, None]))
    half = stats.t.ppf(0.95, found.df) * np.sqrt(fit.cov[-1, -1])
    assert found.estimate == pytest.approx(fit.beta[-1])
    assert found.interval == pytest.approx((fit.beta[-1] - half, fit.beta[-1] + half))


def test_equal_draws_change_nothing() -> None:
    field = made_field(2)
    base = np.hstack([field.base, field.owns[:, None]])
    one = field.drawn(field.hours.drawn(slice(0, 1)).log_hours)
    plain, _ = coefficient(field.groups, base, field.rating, one)
    many, _ = coefficient(field.groups, base, field.rating, Drawn(one.basis, np.repeat(one.values, 7, axis=1)))
    assert many.estimate == pytest.approx(plain.estimate, abs=1e-3)
    assert many.interval == pytest.approx(plain.interval, abs=1e-3)


def test_draws_that_the_ratings_speak_for_count_more() -> None:
    # The volume that acts is one of the draws; counted equally the others pull the slope to zero.
    shrunk, integrated = [], []
    for seed in range(30):
        field = made_field(100 + seed, n_owners=8)
        y = ratings(field, np.random.default_rng(seed), amount=40.0)
        base, tested = np.hstack([field.base, field.owns[:, None]]), field.drawn(field.hours.log_hours)
        for found, is_integrated in ((shrunk, False), (integrated, True)):
            found.append(coefficient(field.groups, base, y, tested, is_integrated=is_integrated)[0].estimate)
    assert abs(np.mean(integrated) - 40) < abs(np.mean(shrunk) - 40)


def test_columns_that_say_nothing_new_are_left_out() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    assert list(independent(np.column_stack([x, x[:, 0] + x[:, 1], np.zeros(30), x[:, 3] * 2]))) == [0, 1, 2, 3]


@pytest.mark.parametrize(("n", "k"), [(6, 3), (7, 1), (9, 4), (5, 5)])
def test_every_subset_is_made_once(n: int, k: int) -> None:
    assert [tuple(np.flatnonzero(row).tolist()) for row in _subsets(n, k)] == list(combinations(range(n), k))


def test_p_of_permuted_ownership_is_uniform() -> None:
    field = made_field(8, n_companies=20)
    null = reml(field.groups, field.base, field.rating)
    rng = np.random.default_rng(9)
    found = []
    for _ in range(400):
        labels = np.zeros(20)
        labels[rng.choice(20, size=6, replace=False)] = 1
        found.append(permute_labels(null, labels, 199, seed=int(rng.integers(1 << 30))).p)
    counts = np.histogram(found, bins=10, range=(0, 1))[0]
    assert ((counts - 40) ** 2 / 40).sum() < 27.9  # chi-squared with 9 degrees of freedom, 0.1 %


def test_random_orders_agree_with_every_order(monkeypatch: pytest.MonkeyPatch) -> None:
    field = made_field(10, n_companies=18, n_owners=5)
    null = reml(field.groups, field.base, field.rating)
    labels = (np.arange(18) < 5).astype(float)
    every = permute_labels(null, labels, 10, seed=1)
    assert every.n_orders == 8568  # few enough to try all
    assert every.min_p == pytest.approx(1 / 8568)
    again = permute_labels(null, labels[::-1].copy(), 10, seed=2)
    assert again.n_orders == 8568
    features = np.eye(18)[null.v.groups.company]
    score, spread = features.T @ null.py, features.T @ null.p(features)
    rows = np.array([np.isin(np.arange(18), chosen) for chosen in combinations(range(18), 5)], dtype=float)
    reached = _statistic(rows, score, spread) >= _statistic(labels[None], score, spread) - 1e-9
    assert every.p == pytest.approx(float(reached.mean()))
    monkeypatch.setattr("moat.link.effects.MOST_ORDERS", 8568)
    assert permute_labels(null, labels, 10, seed=1) == every


def test_the_smallest_p_of_random_orders_is_one_of_all_that_were_tried() -> None:
    field = made_field(10, n_companies=40, n_owners=12)
    null = reml(field.groups, field.base, field.rating)
    found = permute_labels(null, (np.arange(40) < 12).astype(float), 99, seed=1)
    assert (found.n_orders, found.min_p) == (99, 1 / 100)
    assert found.p * 100 == pytest.approx(round(found.p * 100))
    assert 1 <= round(found.p * 100) <= 100


def test_p_of_random_signs_counts_the_observed_ones_too() -> None:
    found = sign_flips(np.ones(30), 199, np.random.default_rng(1))  # all alike: one pattern in 2**29
    assert (found.p, found.min_p, found.n_orders) == (1 / 200, 1 / 200, 199)


def test_amounts_of_six_owners_have_720_orders() -> None:
    field = made_field(11)
    base = np.hstack([field.base, field.owns[:, None]])
    found = permute_paths(reml(field.groups, base, field.rating), field.member, field.paths(field.hours.log_hours), 99, seed=1)
    assert found.n_orders == 720
    assert found.min_p == pytest.approx(1 / 720)
    assert 1 / 720 <= found.p <= 1


def test_owners_whose_amounts_are_alike_make_the_smallest_p_larger() -> None:
    field = made_field(11)
    base = np.hstack([field.base, field.owns[:, None]])
    paths = field.paths(field.hours.log_hours).copy()
    paths[:, [0, 2, 4]] = paths[:, [0]]  # six orders of three owners are one
    found = permute_paths(reml(field.groups, base, field.rating), field.member, paths, 99, seed=1)
    assert found.min_p == pytest.approx(6 / 720)
    assert found.p * 120 == pytest.approx(round(found.p * 120))


def test_a_family_without_a_dose_does_not_make_the_smallest_p_smaller() -> None:
    found = sign_flips(np.array([1.0, 2.0, 3.0, 0.0]), 99, np.random.default_rng(0))
    assert (found.p, found.min_p) == (4 / 16, 4 / 16)


def test_signs_of_four_families_cannot_go_below_one_eighth() -> None:
    found = sign_flips(np.array([1.0, 2.0, 3.0, 4.0]), 99, np.random.default_rng(0))
    assert (found.p, found.min_p) == (2 / 16, 2 / 16)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
def test_the_statistics_of_every_subset_are_the_scores_over_their_standard_deviations(k: int) -> None:
    rng = np.random.default_rng(k)
    root = rng.normal(size=(7, 7))
    score, spread = rng.normal(size=7), root @ root.T
    by_hand = [abs(score[list(c)].sum()) / np.sqrt(spread[np.ix_(c, c)].sum()) for c in combinations(range(7), k)]
    np.testing.assert_allclose(np.sort(_statistic_of_every_subset(k, score, spread)), np.sort(by_hand))
    np.testing.assert_allclose(_statistic(_subsets(7, k), score, spread), by_hand)


def test_amounts_of_eight_owners_are_tried_in_random_orders_and_the_observed_one_counts() -> None:
    field = made_field(12, n_owners=8)
    base = np.hstack([field.base, field.owns[:, None]])
    found = permute_paths(reml(field.groups, base, field.rating), field.member, field.paths(field.hours.log_hours), 99, seed=1)
    assert (found.n_orders, found.min_p) == (99, 1 / 100)
    assert found.p * 100 == pytest.approx(round(found.p * 100))
    assert 1 <= round(found.p * 100) <= 100
