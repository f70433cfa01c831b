"""Common random numbers."""

import numpy as np

from moat.uncertainty.seeds import allot, normals


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
