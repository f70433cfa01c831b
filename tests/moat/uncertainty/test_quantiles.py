"""Distributions that hit their three percentiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from datamoat.errors import ContentError
from moat.uncertainty.quantiles import Split, percentiles


def test_the_stated_values_at_minus_one_and_one() -> None:
    assert Split("lognormal", 2e5, 2.5e6, 3e7).at(np.array([-1.0, 1.0])) == pytest.approx([538_352, 11_324_933], abs=1)
    assert Split("beta", 0.01, 0.06, 0.25).at(np.array([-1.0, 1.0])) == pytest.approx([0.020385, 0.148473], abs=1e-6)


@given(
    st.sampled_from(["lognormal", "beta", "normal"]),
    st.lists(st.floats(0.01, 0.99), min_size=3, max_size=3, unique=True).map(sorted),
)
def test_every_split_hits_its_percentiles_and_rises(distribution: str, points: list[float]) -> None:
    split = Split(distribution, *points).checked("x")
    assert split.at(ndtri(np.array([0.05, 0.5, 0.95]))) == pytest.approx(points, rel=1e-9)
    assert np.all(np.diff(split.at(np.linspace(-4, 4, 50))) >= 0)


@pytest.mark.parametrize(
    ("distribution", "ends"),
    [("lognormal", (2 / 15, 8 / 15)), ("beta", (7 / 55, 28 / 55)), ("normal", (0.1, 0.5)), ("uniform", (0.1, 0.5))],
)
def test_widening_keeps_the_median_and_doubles_both_distances_on_its_scale(
    distribution: str, ends: tuple[float, float]
) -> None:  # a ratio, a ratio of odds, a difference
    split = Split(distribution, 0.2, 0.3, 0.4)
    wide = split.widened(2)
    assert wide.at(0.0) == pytest.approx(split.at(0.0))
    assert (wide.p05, wide.p95) == pytest.approx(ends)


@pytest.mark.parametrize(
    "split",
    [Split("beta", 0.1, 0.5, 1.2), Split("lognormal", -1, 1, 2), Split("normal", 3, 2, 1), Split("triangle", 1, 2, 3)],
)
def test_e09_a_split_that_is_no_distribution_is_refused_by_name(split: Split) -> None:
    with pytest.raises(ContentError, match="yield_x"):
        split.checked("yield_x")


@pytest.mark.parametrize(
    ("split", "is_good"),
    [
        (("normal", 1, 1, 1), True), (("normal", 1, 2, 1.5), False), (("normal", 2, 1, 3), False), (("normal", -2, -1, 0), True),
        (("lognormal", 0, 1, 2), False), (("lognormal", 1e-9, 1, 2), True), (("uniform", 0, 0, 0), True), (("uniform", 0, 2, 1), False),
        (("beta", 0, 0.5, 0.9), False), (("beta", 0.1, 0.5, 1), False), (("beta", 0.1, 0.5, 0.999), True), (("beta", 0.5, 0.5, 0.5), True),
        (("fixed", 3, 3, 3), True), (("fixed", 3, 3, 4), False), (("fixed", 2, 3, 3), False), (("fixed", -1, -1, -1), True),
    ],
)  # fmt: skip
def test_a_split_on_a_limit_is_a_distribution_or_is_refused(split: tuple[str, float, float, float], is_good: bool) -> None:
    made = Split(*split)
    if is_good:
        assert made.checked("x") is made
    else:
        with pytest.raises(ContentError, match="x: "):
            made.checked("x")


def test_a_uniform_a_normal_and_a_fixed_number_have_the_quantiles_of_their_names() -> None:
    z = ndtri(np.array([0.01, 0.05, 0.5, 0.95, 0.99]))
    np.testing.assert_allclose(Split("uniform", 1, 10, 19).at(z), 20 * np.array([0.01, 0.05, 0.5, 0.95, 0.99]))
    np.testing.assert_allclose(Split("normal", 2, 4, 10).at(z), [4 + 2 * z[0] / z[3], 2, 4, 10, 4 + 6 * z[4] / z[3]])
    np.testing.assert_array_equal(Split("fixed", 7, 7, 7).at(z), [7.0] * 5)
    assert Split("fixed", 7, 7, 7).widened(2) == Split("fixed", 7, 7, 7)


def test_spread_and_slope_are_those_of_the_shape_that_is_normal() -> None:
    assert Split("normal", 1, 3, 5).sd == pytest.approx(2 / ndtri(0.95))
    assert Split("normal", 1, 3, 5).slope(0.7) == pytest.approx(2 / ndtri(0.95))
    assert Split("lognormal", 1, np.e, np.e**2).log_sd == pytest.approx(1 / ndtri(0.95))
    assert Split("lognormal", 1, np.e, np.e**2).slope(0.0) == pytest.approx(np.e / ndtri(0.95), rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
def test_percentiles_are_those_of_numpy_and_their_error_lies_between_order_statistics(n: int) -> None:
    draws = np.random.default_rng(n).normal(size=(4, n))
    found = percentiles(draws)
    np.testing.assert_allclose(found[:3], np.quantile(draws, [0.05, 0.5, 0.95], axis=1), atol=1e-12)
    half = np.sqrt(n) / 2 / max(n - 1, 1) if n > 1 else 0.0
    low, high = np.quantile(draws, [max(0.5 - half, 0.0), min(0.5 + half, 1.0)], axis=1)
    np.testing.assert_allclose(found[3], (high - low) / 2, atol=1e-12)
