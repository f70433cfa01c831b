"""Common random numbers."""

import numpy as np
from scipy import stats

from moat.uncertainty.seeds import allot, normals, stratified_normals


def test_a_block_that_grows_keeps_its_earlier_rows() -> None:
    assert np.array_equal(normals(1, "w", 3, 10), normals(1, "w", 5, 10)[:3])


def test_blocks_differ_by_name_and_seed_and_by_nothing_else() -> None:
    assert np.array_equal(normals(1, "a", 2, 5), normals(1, "a", 2, 5))
    assert not np.array_equal(normals(1, "a", 2, 5), normals(1, "b", 2, 5))
    assert not np.array_equal(normals(1, "a", 2, 5), normals(2, "a", 2, 5))


def test_any_prefix_of_the_draws_holds_the_same_mixture() -> None:
    weights = np.array([0.5, 0.3, 0.2])
    places = allot(weights, 4_000)
    for n in (100, 1_000, 4_000):
        assert np.abs(np.bincount(places[:n], minlength=3) / n - weights).max() < 3 / n + 0.01


def test_a_latin_hypercube_has_one_point_in_every_stratum_of_every_row_with_mean_zero_and_variance_one() -> None:
    rows = stratified_normals(1, "w", 4, 1_000)
    assert np.allclose(rows.mean(axis=1), 0, atol=1e-12)
    assert np.allclose(rows.std(axis=1), 1, atol=1e-12)
    inner = np.sort(stats.norm.cdf(rows), axis=1)[:, 100:900]  # scaling to variance 1 moves the ends by less than a stratum
    strata = np.floor(inner * 1_000).astype(int)
    assert (np.abs(strata - np.arange(100, 900)) <= 1).all()
    assert not np.array_equal(rows[0], rows[1])


def test_sums_over_a_latin_hypercube_have_far_less_monte_carlo_error_than_over_independent_numbers() -> None:
    def spread(draw: object) -> float:
        return float(np.std([np.mean(np.exp(0.3 * draw(seed, "w", 3, 400).sum(axis=0))) for seed in range(40)]))  # type: ignore[operator]

    assert spread(stratified_normals) < 0.4 * spread(normals)


def test_five_draws_are_allotted_by_the_fractions_of_the_golden_ratio() -> None:
    # (n + 0.5) * 0.618… has the fractions 0.309, 0.927, 0.545, 0.163, 0.781
    assert allot(np.array([2.0, 1.0]), 5).tolist() == [0, 1, 0, 0, 1]
    assert allot(np.array([0.2, 0.2, 0.4, 0.2]), 5).tolist() == [1, 3, 2, 0, 2]
    assert allot(np.array([0.0, 7.0, 0.0]), 3).tolist() == [1, 1, 1]
    assert allot(np.array([3.0]), 2).tolist() == [0, 0]
