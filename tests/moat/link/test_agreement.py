"""Rank correlations: equal to scipy's, with and without ties."""

import numpy as np
import pytest
from scipy import stats

from moat.link.agreement import average_ranks, kendall_tau_b, spearman_rho

TIED = [1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0, 8.0]
OTHER = [2.0, 1.0, 4.0, 4.0, 3.0, 7.0, 7.0, 6.0]


def test_ranks_of_ties_are_the_mean_of_their_places() -> None:
    assert average_ranks(TIED).tolist() == stats.rankdata(TIED).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_both_correlations_are_scipys(seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(0, 9, (2, 30)).astype(float)
    a, b = numbers[0].tolist(), numbers[1].tolist()
    assert spearman_rho(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-11)
    assert kendall_tau_b(a, b) == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-11)


def test_an_order_agrees_with_itself_and_not_with_its_reverse() -> None:
    values = [3.0, 1.0, 2.0]
    assert (spearman_rho(values, values), kendall_tau_b(values, values)) == (1.0, 1.0)
    reverse = [-value for value in values]
    assert (spearman_rho(values, reverse), kendall_tau_b(values, reverse)) == (-1.0, -1.0)


def test_a_list_of_equals_has_no_correlation() -> None:
    assert spearman_rho(TIED, [4.0] * 8) is None
    assert kendall_tau_b([4.0] * 8, OTHER) is None
