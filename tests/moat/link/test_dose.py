"""The slope of points on doublings is the one a reader can compute by hand."""

import numpy as np
import pytest
from scipy import stats

from moat.link.dose import slope


def test_families_count_once_and_the_slope_goes_through_the_origin() -> None:
    # Two boards of family 0, one each of 1 and 2; what the trend explains is taken off first.
    found = slope(
        np.array([50.0, 70.0, 30.0, 10.0]),
        np.array([20.0, 20.0, 10.0, 10.0]),
        np.array([2.0, 2.0, 1.0, 1.0]),
        np.array([0, 0, 1, 2]),
        seed=1,
    )
    assert found is not None
    left, amount = np.array([40.0, 20.0, 0.0]), np.array([2.0, 1.0, 1.0])
    estimate = left @ amount / (amount @ amount)
    assert found.estimate == pytest.approx(estimate)
    sd = np.sqrt(((left - estimate * amount) ** 2).sum() / 2 / (amount @ amount))
    assert found.p95 - found.estimate == pytest.approx(stats.t.ppf(0.95, 2) * sd)
    assert found.test.min_p == pytest.approx(0.5)  # of the third family the trend explains all: its sign changes nothing


def test_a_family_with_as_much_data_as_before_does_not_count() -> None:
    # Its sign changes nothing: it would halve the smallest possible p and narrow the interval.
    three = (np.array([50.0, 30.0, 10.0]), np.zeros(3), np.array([2.0, 1.0, 1.0]), np.array([0, 1, 2]))
    more = (np.append(three[0], 90.0), np.zeros(4), np.append(three[2], 0.0), np.append(three[3], 3))
    assert slope(*more, seed=1) == slope(*three, seed=1)
    found = slope(*more, seed=1)
    assert found is not None
    assert (found.n_families, found.test.min_p) == (3, 0.25)


def test_two_families_are_too_few() -> None:
    assert slope(np.ones(2), np.zeros(2), np.ones(2), np.array([0, 1]), seed=1) is None
