"""The rank association against worked examples, plain scipy and the definitions."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from moat.link import association as a

ONE_TO_FIVE = np.arange(1.0, 6.0)[None]
SHUFFLED = np.array([[2.0, 1.0, 4.0, 3.0, 5.0]])


def world(seed: int, n: int, n_draws: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    v = rng.standard_normal(n) + rng.standard_normal((n_draws, n))
    return v, 0.5 * v.mean(axis=0) + rng.standard_normal(n) + 0.2 * rng.standard_normal((n_draws, n))


def partial(v: np.ndarray, r: np.ndarray, basis: np.ndarray, n_random: int = 9_999) -> a.Tested | None:
    return a.partial_test(a.standard_ranks(v), a.hold_fixed(a.standard_ranks(r), basis, n_random=n_random))


def test_five_companies_give_spearman_and_its_exact_p() -> None:
    tested = a.permutation_test(a.spearman_matrix(ONE_TO_FIVE, SHUFFLED))
    assert tested.value == pytest.approx(0.8, abs=1e-12)
    assert (tested.p, tested.method, tested.n_permutations) == (16 / 120, "exact", 120)
    assert tested.min_p == 2 / 120


def test_five_companies_give_kendall_and_its_exact_p() -> None:
    tested = a.kendall_test(ONE_TO_FIVE, SHUFFLED)
    assert tested.value == pytest.approx(0.6, abs=1e-12)
    assert tested.p == 28 / 120


def test_two_draws_average_before_they_are_permuted() -> None:
    v, r = np.array([[1.0, 2, 3, 4], [2.0, 1, 3, 4]]), np.array([[1.0, 2, 3, 4]] * 2)
    matrix = a.spearman_matrix(v, r)
    assert matrix[0] == pytest.approx([0.3, 0.1, -0.1, -0.3])
    tested = a.permutation_test(matrix)
    assert (tested.value, tested.p) == (pytest.approx(0.9), 4 / 24)


@pytest.mark.parametrize("seed", range(5))
def test_the_matrix_agrees_with_scipy_draw_by_draw(seed: int) -> None:
    v, r = world(seed, 9)
    v[:, 6:] = -np.inf  # three companies without a platform share the last place
    rho = np.mean([stats.spearmanr(x, y).statistic for x, y in zip(np.where(np.isinf(v), -1e9, v), r, strict=True)])
    tau = np.mean([stats.kendalltau(x, y).statistic for x, y in zip(np.where(np.isinf(v), -1e9, v), r, strict=True)])
    assert np.trace(a.spearman_matrix(v, r)) == pytest.approx(rho, abs=1e-9)
    assert a.kendall_test(v, r, n_random=9).value == pytest.approx(tau, abs=1e-9)


def test_ranks_are_scipys_with_ties_and_without() -> None:
    x, _ = world(4, 9, 30)
    for rows in (x, np.round(x), np.where(x > 0, x, -np.inf), x[:, :1]):
        assert np.array_equal(a.row_ranks(rows), stats.rankdata(rows, axis=1))


@pytest.mark.parametrize("seed", range(3))
def test_scipys_own_permutation_test_gives_the_same_exact_p(seed: int) -> None:
    v, r = world(seed, 6)
    matrix = a.spearman_matrix(v, r)

    def statistic(order: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.abs(matrix[np.arange(6), order.astype(int)].sum(axis=axis))

    plain = stats.permutation_test(
        (np.arange(6),), statistic, permutation_type="pairings", vectorized=True, n_resamples=np.inf, alternative="greater"
    )
    assert a.permutation_test(matrix).p == pytest.approx(plain.pvalue, abs=1e-12)


def test_a_sampled_p_is_near_the_exact_one_and_never_nought() -> None:
    v, r = world(3, 8)
    matrix = a.spearman_matrix(v, r)
    exact, sampled = a.permutation_test(matrix), a.permutation_test(matrix, n_random=20_000)
    assert (exact.method, sampled.method) == ("exact", "monte_carlo")
    assert sampled.p == pytest.approx(exact.p, abs=0.01)
    assert a.permutation_test(np.eye(10) * 0.1, n_random=999).p == 1 / 1_000


def test_kendall_by_pairs_agrees_with_every_permutation_written_out() -> None:
    v, r = world(11, 5, 6)
    v[:, 3:] = -np.inf
    filled = np.where(np.isinf(v), -1e9, v)

    def tau(order: tuple[int, ...]) -> float:
        return float(np.mean([stats.kendalltau(x, y[list(order)]).statistic for x, y in zip(filled, r, strict=True)]))

    values = np.array([tau(order) for order in permutations(range(5))])
    tested = a.kendall_test(v, r)
    assert tested.value == pytest.approx(tau(tuple(range(5))), abs=1e-12)
    assert tested.p == pytest.approx((np.abs(values) >= abs(tested.value) - 1e-12).mean(), abs=1e-12)


def test_ties_raise_the_smallest_possible_p() -> None:
    v, r = world(5, 12)
    v[:, 6:] = -np.inf
    tested = a.permutation_test(a.spearman_matrix(v, r), a.arrangements(v, r), n_random=99)
    assert tested.min_p == pytest.approx(max(1 / 100, 720 / 479_001_600))
    group = np.arange(9) < 1
    only_one = a.permutation_test(a.difference_matrix(group, r[:, :9]), a.arrangements(group[None], r[:, :9]), n_random=9_999)
    assert only_one.min_p == pytest.approx(1 / 9)


def test_the_group_statistics_are_what_their_names_say() -> None:
    _, r = world(7, 11)
    group = np.array([1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0], dtype=bool)
    difference = r.mean(axis=0)[group].mean() - r.mean(axis=0)[~group].mean()
    assert np.trace(a.difference_matrix(group, r)) == pytest.approx(difference, abs=1e-9)
    auc = np.mean([stats.mannwhitneyu(row[group], row[~group]).statistic / (4 * 7) for row in r])
    assert np.trace(a.auc_matrix(group, r)) + 0.5 == pytest.approx(auc, abs=1e-9)


def test_leave_one_out_is_the_statistic_without_that_company() -> None:
    v, r = world(13, 9)
    v[:, 7:] = -np.inf
    rho, tau = a.leave_one_out(a.ranks_without(v), a.ranks_without(r)), a.leave_one_out_kendall(v, r)
    group = np.arange(9) < 4
    means, auc = a.leave_one_out_difference(group, r), a.leave_one_out_auc(group, r)
    for i in range(9):
        rest = [np.delete(x, i, axis=1) for x in (v, r)]
        assert rho[i] == pytest.approx(np.trace(a.spearman_matrix(*rest)), abs=1e-9)
        assert tau[i] == pytest.approx(a.kendall_test(*rest, n_random=9).value, abs=1e-9)
        assert means[i] == pytest.approx(np.trace(a.difference_matrix(np.delete(group, i), rest[1])), abs=1e-9)
        assert auc[i] == pytest.approx(0.5 + np.trace(a.auc_matrix(np.delete(group, i), rest[1])), abs=1e-9)


def test_a_group_of_one_cannot_be_left_out() -> None:
    _, r = world(14, 5)
    group = np.arange(5) < 1
    assert np.isnan(a.leave_one_out_difference(group, r)[0])
    assert np.isnan(a.leave_one_out_auc(group, r)[0])
    assert np.isfinite(a.leave_one_out_auc(group, r)[1:]).all()


def test_a_correlation_of_two_lists_is_scipys() -> None:
    x, y = np.array([1.0, 1, 3, 4, 2, 2]), np.array([5.0, 3, 3, 9, 1, 2])
    assert a.plain_spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert a.plain_spearman(x, np.ones(6)) == 0.0


def test_the_worst_p_without_one_is_the_largest_of_the_tests_without_one() -> None:
    v, r = world(17, 7)
    each = [a.permutation_test(a.spearman_matrix(*(np.delete(x, i, axis=1) for x in (v, r)))).p for i in range(7)]
    worst, culprit = a.worst_p_without_one(a.ranks_without(v), a.ranks_without(r), n_random_again=99)
    assert worst == pytest.approx(max(each), abs=1e-12)
    assert culprit == int(np.argmax(each))


def test_the_worst_p_is_looked_at_as_hard_as_the_headlines() -> None:
    v, r = world(17, 12)
    worst, culprit = a.worst_p_without_one(a.ranks_without(v), a.ranks_without(r), n_random=20_000, n_random_again=199)
    rest = a.spearman_matrix(*(np.delete(x, culprit, axis=1) for x in (v, r)))
    assert worst == a.permutation_test(rest, n_random=20_000).p


def test_the_partial_statistic_is_the_correlation_of_residual_ranks() -> None:
    v, r = world(19, 10)
    controls = np.random.default_rng(1).standard_normal((10, 2))
    design = np.column_stack([np.ones(10), controls])

    def residual(row: np.ndarray) -> np.ndarray:
        ranks = stats.rankdata(row)
        return ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0]

    plain = np.mean([stats.pearsonr(residual(x), residual(y)).statistic for x, y in zip(v, r, strict=True)])
    tested = partial(v, r, a.projection(controls), 99)
    assert tested is not None
    assert tested.value == pytest.approx(plain, abs=1e-9)


def test_freedman_and_lane_written_out_gives_the_same_p() -> None:
    v, r = world(23, 6, 1)
    controls = np.random.default_rng(2).standard_normal((6, 1))
    design = np.column_stack([np.ones(6), controls])
    away = np.eye(6) - design @ np.linalg.pinv(design)
    x, y = (away @ stats.rankdata(row[0]) for row in (v, r))

    def statistic(order: tuple[int, ...]) -> float:
        moved = away @ y[list(order)]
        return float(x @ moved / np.linalg.norm(x) / np.linalg.norm(moved))

    values = np.array([statistic(order) for order in permutations(range(6))])
    tested = partial(v, r, a.projection(controls))
    assert tested is not None
    assert tested.value == pytest.approx(values[0], abs=1e-12)
    assert tested.p == pytest.approx((np.abs(values) >= abs(values[0]) - 1e-12).mean(), abs=1e-12)


def test_a_control_that_does_not_vary_takes_no_degree_of_freedom() -> None:
    date = np.arange(8.0)
    assert a.projection(np.column_stack([date, np.ones(8), 2 * date])).shape == (8, 2)
    v, r = world(29, 4)
    assert partial(v, r, a.projection(np.random.default_rng(0).standard_normal((4, 2)))) is None


def test_reliability_is_one_without_noise_and_its_share_with_it() -> None:
    truth = np.random.default_rng(0).standard_normal(400)
    assert a.reliability(np.tile(truth, (3, 1))) == pytest.approx(1.0)
    noisy = truth + np.random.default_rng(1).standard_normal((2_000, 400))
    assert a.reliability(noisy) == pytest.approx(0.5, abs=0.05)
    assert a.reliability(noisy + 1e3 * np.random.default_rng(2).standard_normal((2_000, 1))) == pytest.approx(0.5, abs=0.05)
    assert a.reliability(np.ones((5, 4))) == 0.0


def test_the_effect_is_larger_than_the_noisy_correlation_and_inside_its_interval() -> None:
    v, r = world(31, 20, 300)
    effect = a.corrected_effect(v, r)
    raw = stats.spearmanr(v.mean(axis=0), r.mean(axis=0)).statistic
    assert effect is not None
    assert effect.p05 < effect.p50 < effect.p95
    assert effect.p50 == pytest.approx(min(1.0, raw / np.sqrt(a.reliability(v) * a.reliability(r))), abs=1e-9)
    assert a.corrected_effect(v[:, :3], r[:, :3]) is None
    assert a.corrected_effect(np.ones((3, 6)), r[:3, :6]) is None


def test_power_meets_the_table_of_simulated_power() -> None:
    simulated = {12: (0.76, 0.88), 15: (0.70, 0.80), 20: (0.62, 0.71), 25: (0.56, 0.64), 30: (0.52, 0.59)}
    for n, (perfect, noisy) in simulated.items():
        assert a.smallest_latent(n) == pytest.approx(perfect, abs=0.015)
        assert a.smallest_latent(n, 0.8, 0.95) == pytest.approx(noisy, abs=0.015)
    assert a.smallest_latent(12, 0.6, 0.9) is None
    assert np.isnan(a.rank_power(3, 0.5))
    assert a.rank_power(20, 0.0) == pytest.approx(0.05, abs=0.015)


def test_two_groups_of_five_and_fifteen_need_a_gap_of_1_7_deviations() -> None:
    d = 1.7
    latent = d * np.sqrt(0.25 * 0.75) / np.sqrt(1 + d**2 * 0.25 * 0.75)
    assert a.group_power(5, 15, latent) == pytest.approx(0.8, abs=0.1)
    assert np.isnan(a.group_power(1, 15, 0.5))


def test_welch_and_hanley_intervals_hold_their_middles() -> None:
    _, r = world(37, 12)
    group = np.arange(12) < 5
    for effect in (a.mean_difference_effect(group, r), a.auc_effect(group, r)):
        assert effect is not None
        assert effect.p05 < effect.p50 < effect.p95
    assert a.auc_effect(np.arange(12) < 1, r) is None
    assert a.mean_difference_effect(np.arange(12) < 1, r) is None


def test_a_board_of_equal_ratings_correlates_with_nothing() -> None:
    v, _ = world(41, 9)
    tested = a.permutation_test(a.spearman_matrix(v, np.full_like(v, 1_000.0)))
    assert (tested.value, tested.p) == (0.0, 1.0)
    assert a.kendall_test(v, np.full_like(v, 1_000.0), n_random=99).p == 1.0


def test_the_p_of_unrelated_orders_is_uniform() -> None:
    rng = np.random.default_rng(0)
    ps = []
    for _ in range(400):
        v, r = rng.standard_normal(12) + rng.standard_normal((20, 12)), np.tile(rng.standard_normal(12), (20, 1))
        ps.append(a.permutation_test(a.spearman_matrix(v, r), n_random=499).p)
    assert stats.kstest(ps, "uniform").pvalue > 0.01
    assert np.mean(np.array(ps) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_confounded_orders_are_rejected_too_often_without_the_control_and_not_with_it() -> None:
    rng = np.random.default_rng(5)
    raw, held = [], []
    for _ in range(250):
        date = rng.standard_normal(20)
        v = np.tile(date + rng.standard_normal(20), (5, 1)) + 0.1 * rng.standard_normal((5, 20))
        r = np.tile(date + rng.standard_normal(20), (5, 1))
        raw.append(a.permutation_test(a.spearman_matrix(v, r), n_random=299).p)
        tested = partial(v, r, a.projection(stats.rankdata(date)[:, None]), 299)
        assert tested is not None
        held.append(tested.p)
    assert np.mean(np.array(raw) < 0.05) > 0.4
    assert np.mean(np.array(held) < 0.05) < 0.1
