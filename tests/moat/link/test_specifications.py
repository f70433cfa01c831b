"""One definition on one board: what it computes, and why it does not."""

import numpy as np
import pytest

from moat.link.association import spearman_matrix
from moat.link.specifications import Rated, link
from moat.link.verdict import Looks

LOOKS = Looks(n_random=499, n_random_again=199, n_random_pairs=99, n_draws_other=40, n_draws_again=20)


def field(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Rated]:
    rng = np.random.default_rng(seed)
    points = np.sort(1_000 + 100 * rng.standard_normal(n))[::-1]
    v = np.exp(rng.standard_normal(n) + 0.2 * rng.standard_normal((40, n)))
    return v, np.median(v, axis=0), Rated(points + 4 * rng.standard_normal((40, n)), points)


@pytest.mark.parametrize("statistic", ["spearman", "kendall_tau_b"])
def test_a_rank_statistic_comes_with_its_effect_power_and_range(statistic: str) -> None:
    v, medians, rated = field(12)
    found = link(statistic, v, medians, rated, LOOKS)
    assert found.reason == "computed"
    assert found.test is not None
    assert found.effect is not None
    assert found.range_without_one is not None
    low, high, driver = found.range_without_one
    assert low <= high
    assert 0 <= driver < 12
    assert 0 < (found.power or 0) < 1


@pytest.mark.parametrize("statistic", ["mean_difference", "auc"])
def test_a_group_of_one_has_a_number_and_no_interval(statistic: str) -> None:
    _, _, rated = field(9)
    member = np.zeros((40, 9))
    member[:, 2] = 1.0
    found = link(statistic, member, member[0], rated, LOOKS)
    assert found.reason == "one_company_is_a_group"
    assert found.test is not None
    assert found.effect is None
    assert found.power is None


def test_the_chance_of_being_ahead_is_one_half_where_groups_are_alike_and_one_where_one_is_above() -> None:
    ratings = np.tile(np.arange(8.0), (40, 1))
    for member, chance in (([1, 0, 0, 1, 1, 0, 0, 1], 0.5), ([0, 0, 0, 0, 1, 1, 1, 1], 1.0)):
        group = np.tile(np.array(member, dtype=float), (40, 1))
        found = link("auc", group, group[0], Rated(ratings, ratings[0]), LOOKS)
        assert found.test is not None
        assert found.effect is not None
        assert (found.test.value, found.plain, found.effect.p50) == pytest.approx((chance, chance, chance))


def test_e12_too_few_ties_in_ratings_and_ties_in_volume_are_reasons() -> None:
    v, medians, rated = field(9)
    assert link("spearman", v[:, :2], medians[:2], Rated(rated.r[:, :2], rated.points[:2]), LOOKS).reason == "too_few_companies"
    assert link("spearman", v, medians, Rated(rated.r, np.full(9, 5.0)), LOOKS).reason == "ratings_tied"
    assert link("spearman", np.ones((40, 9)), np.ones(9), rated, LOOKS).reason == "volumes_tied"


def test_companies_without_volume_share_the_last_place() -> None:
    v, medians, rated = field(9)
    v[:, 6:], medians[6:] = -np.inf, -np.inf
    found = link("kendall_tau_b", v, medians, rated, LOOKS)
    assert found.test is not None
    assert found.plain is not None
    assert np.isfinite(found.plain)
    assert found.effect is not None


def test_one_company_is_left_out_of_all_the_draws_the_statistic_is_a_mean_of() -> None:
    v, medians, rated = field(12)
    found = link("spearman", v, medians, rated, LOOKS)
    assert found.without is not None
    for i in range(12):
        rest = np.trace(spearman_matrix(np.delete(v, i, axis=1), np.delete(rated.r, i, axis=1)))
        assert found.without[i] == pytest.approx(rest, abs=1e-12)
