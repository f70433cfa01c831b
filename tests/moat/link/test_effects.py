"""Draws are combined by Rubin's rules, and permutations are what they say."""

from itertools import combinations

import numpy as np
import pytest
from fields import made_field, ratings

from moat.link.effects import _subsets, coefficients, independent, permute_labels, permute_paths, sign_flips
from moat.link.mixed import reml


def test_equal_draws_are_combined_by_the_formulas_of_rubin() -> None:
    field = made_field(1)
    tested = field.drawn(field.hours.log_hours)[:, :, None]
    base = np.hstack([field.base, field.owns[:, None]])
    (found,), fit = coefficients(field.groups, base, field.rating, tested, is_weighted=False)
    inverse = np.linalg.inv(fit.v.solve(np.eye(len(field.rating))))
    alone = []
    for s in range(tested.shape[1]):
        x = np.hstack([base, tested[:, s]])
        cov = np.linalg.inv(x.T @ np.linalg.solve(inverse, x))
        alone.append(((cov @ x.T @ np.linalg.solve(inverse, field.rating))[-1], cov[-1, -1]))
    estimates, variances = np.array(alone).T
    assert found.estimate == pytest.approx(estimates.mean())
    assert found.within_se == pytest.approx(np.sqrt(variances.mean()))
    total = variances.mean() + (1 + 1 / len(alone)) * estimates.var()
    assert found.se == pytest.approx(np.sqrt(total))
    low, high = found.interval
    assert low < found.estimate < high
    assert (low + high) / 2 == pytest.approx(found.estimate)


def test_draws_that_the_ratings_speak_for_count_more() -> None:
    # The volume that acts is one of the draws; counted equally the others pull the slope to zero.
    shrunk, weighted = [], []
    for seed in range(30):
        field = made_field(100 + seed, n_owners=8)
        y = ratings(field, np.random.default_rng(seed), amount=40.0)
        base, tested = np.hstack([field.base, field.owns[:, None]]), field.drawn(field.hours.log_hours)[:, :, None]
        for found, is_weighted in ((shrunk, False), (weighted, True)):
            found.append(coefficients(field.groups, base, y, tested, is_weighted=is_weighted)[0][0].estimate)
    assert abs(np.mean(weighted) - 40) < abs(np.mean(shrunk) - 40)


def test_columns_that_say_nothing_new_are_left_out() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    assert list(independent(np.column_stack([x, x[:, 0] + x[:, 1], np.zeros(30), x[:, 3] * 2]))) == [0, 1, 2, 3]


@pytest.mark.parametrize(("n", "k"), [(6, 3), (7, 1), (9, 4), (5, 5)])
def test_every_subset_is_made_once(n: int, k: int) -> None:
    assert [tuple(row) for row in _subsets(n, k).tolist()] == list(combinations(range(n), k))


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


def test_random_orders_agree_with_every_order() -> None:
    field = made_field(10, n_companies=18, n_owners=5)
    null = reml(field.groups, field.base, field.rating)
    labels = (np.arange(18) < 5).astype(float)
    every = permute_labels(null, labels, 10, seed=1)
    assert every.n_orders == 8568  # few enough to try all
    assert every.min_p == pytest.approx(1 / 8568)
    again = permute_labels(null, labels[::-1].copy(), 10, seed=2)
    assert again.n_orders == 8568


def test_amounts_of_six_owners_have_720_orders() -> None:
    field = made_field(11)
    base = np.hstack([field.base, field.owns[:, None]])
    found = permute_paths(reml(field.groups, base, field.rating), field.member, field.paths(field.hours.log_hours), 99, seed=1)
    assert found.n_orders == 720
    assert found.min_p == pytest.approx(1 / 720)
    assert 1 / 720 <= found.p <= 1


def test_signs_of_four_families_cannot_go_below_one_eighth() -> None:
    found = sign_flips(np.array([1.0, 2.0, 3.0, 4.0]), 99, np.random.default_rng(0))
    assert (found.p, found.min_p) == (2 / 16, 2 / 16)
