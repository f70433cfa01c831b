"""Distributions that hit their three percentiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from datamoat.errors import ContentError
from moat.uncertainty.quantiles import Split


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
