"""The engine of volumes against closed forms, and the promises every fit must keep."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from datamoat.errors import ModelFailedError
from moat.volume import processes
from moat.volume.conditioning import Model, Solution
from moat.volume.draws import Draws, _truncated, gibbs
from moat.volume.hyperparameters import Fit, _robust_weights, fit, fit_like, predict_others, search
from moat.volume.processes import LONGEST, LogSum, Process, Row, Series, evaluate, evaluate_many, matern

MONTHS = 24
ONES = np.ones(MONTHS)
LOG_PRIOR = np.log(3e8)
TIERS = {1: (0.05, 0.05), 2: (0.15, 0.15), 3: (0.30, 0.25)}  # noise and bias of a volume statistic


def flat(key: str = "p", users_sd: float = 1.5, gp_sd: float = 0.0) -> Series:
    """A series of two processes that do not move."""
    return Series(
        key,
        (
            Process("users", LOG_PRIOR * ONES, own={"users": users_sd * ONES}, gp_sd=gp_sd, gp_length=12),
            Process("rate", np.log(0.04) * ONES, own={"rate": 1.2 * ONES}, shared={"all": 0.3 * ONES}),
        ),
    )


def stated(key: str, value: float, tier: int, source: str, series: str = "p", month: int = 12, **offset: object) -> Row:
    """A user count of one month."""
    sd, bias = TIERS[tier]
    part = LogSum(("users",), month, month + 1)
    return Row(key, series, float(np.log(value)), (part,), source, sd, bias, **offset)


def at_mode(model: Model) -> Solution:
    """The posterior with every multiplier at 1."""
    return model.solve(np.zeros(0))


def drawn(model: Model, n_draws: int = 40_000, seed: int = 3) -> dict[str, dict[str, np.ndarray]]:
    """Draws with every multiplier at 1."""
    solution = at_mode(model)
    return dict(Draws(Fit(model, solution, [solution], np.ones(1), solution.evidence), seed=seed, n_draws=n_draws))


def spread(solution: Solution, key: str = "p", place: int = 0) -> float:
    """Posterior sd of one state, own loadings only."""
    target = np.zeros(len(solution.model.series[key].mean))
    target[place] = 1
    cross = solution.cross(key).T @ target
    loadings = [solution.model.own[key].T @ target, solution.model.shared[key].T @ target]
    return float(np.sqrt(sum(part @ part for part in loadings) - cross @ solution.precision @ cross))


def test_two_sources_of_two_tiers_meet_the_closed_form() -> None:
    solution = at_mode(Model([flat()], [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B")]))
    assert solution.states["p"][0] == pytest.approx(20.549425, abs=1e-6)
    assert spread(solution) == pytest.approx(0.184982, abs=1e-6)
    assert solution.evidence == pytest.approx(-2.895791, abs=1e-6)
    mean, variance = solution.left_out()
    assert mean[0] == pytest.approx(19.997694, abs=1e-6)
    assert np.sqrt(variance[0]) == pytest.approx(0.433382, abs=1e-6)  # of the statistic; noise and bias included


def test_fifty_repeats_by_one_publisher_teach_little_more_than_one() -> None:
    same = at_mode(Model([flat()], [stated(str(i), 1e9, 2, "A") for i in range(50)]))
    many = at_mode(Model([flat()], [stated(str(i), 1e9, 2, str(i)) for i in range(50)]))
    assert spread(same) == pytest.approx(0.150726, abs=1e-6)
    assert spread(many) == pytest.approx(0.029994, abs=1e-6)


@pytest.mark.parametrize(("floor", "mean", "sd"), [(1e6, 19.5197, 1.4992), (1e9, 21.5702, 0.7125), (5e9, 22.9081, 0.5283)])
def test_a_hard_floor_cuts_the_prior_exactly(floor: float, mean: float, sd: float) -> None:
    draws = drawn(Model([flat()], [stated("a", floor, 1, "A", offset=(0.0, np.inf))]))["p"]["users"][3]
    assert draws.mean() == pytest.approx(mean, abs=4 * sd / 200)
    assert draws.std() == pytest.approx(sd, rel=0.025)


def test_a_hard_floor_has_the_stated_quantiles() -> None:
    model = Model([flat()], [stated("a", 1e9, 1, "A", offset=(0.0, np.inf))])
    draws = drawn(model)["p"]["users"][3]
    assert model.offset_var.tolist() == [0.0]  # what has no moments adds nothing to the noise
    assert np.quantile(draws, [0.05, 0.5, 0.95]) == pytest.approx([20.766, 21.394, 22.978], abs=0.03)


def test_a_hard_ceiling_is_the_mirror_of_a_hard_floor() -> None:
    ceiling = stated("a", 3e8**2 / 1e9, 1, "A", offset=(-np.inf, 0.0))
    draws = drawn(Model([flat()], [ceiling]))["p"]["users"][3]
    assert draws.mean() == pytest.approx(2 * LOG_PRIOR - 21.5702, abs=4 * 0.7125 / 200)
    assert draws.std() == pytest.approx(0.7125, rel=0.025)


@pytest.mark.parametrize("offset", [(0.0, np.inf), (-np.inf, 0.0), (-0.2, 0.7), (0.1, 0.9), (-3.0, -0.5)])
def test_mean_and_variance_of_an_offset_are_those_of_a_truncated_normal(offset: tuple[float, float]) -> None:
    row = stated("a", 1e9, 2, "A", offset=offset, offset_sd=0.5)
    exact = stats.truncnorm(offset[0] / 0.5, offset[1] / 0.5, scale=0.5)
    assert row.moments == pytest.approx((exact.mean(), exact.var()), rel=1e-9)


def test_a_chain_begins_inside_its_limits() -> None:
    began = gibbs(np.array([[-5.0, 0.5, 5.0]]), np.ones((3, 1, 1)), np.array([[0.0, 1.0]]), np.empty((1, 0, 3)))
    assert began[0] == pytest.approx([0.001, 0.5, 0.999])


def test_a_soft_floor_lets_the_truth_lie_a_little_above_and_rarely_below() -> None:
    draws = drawn(Model([flat()], [stated("a", 1e9, 2, "A", offset=(0.0, np.inf), offset_sd=0.5)]))["p"]["users"][3]
    assert (draws.mean(), draws.std()) == pytest.approx((21.0319, 0.3345), abs=0.008)
    assert np.exp(np.quantile(draws, [0.05, 0.5, 0.95])) / 1e9 == pytest.approx([0.830, 1.320, 2.479], rel=0.015)


def test_a_rounding_interval_is_a_flat_stretch_and_not_a_bell() -> None:
    row = replace(stated("a", 1e9, 1, "A", offset=(-0.5, 0.5)), sd=0.01, bias_sd=0.0)
    away = drawn(Model([flat()], [row]))["p"]["users"][0] - np.log(1e9)
    assert away.std() == pytest.approx(1 / np.sqrt(12), rel=0.03)
    assert np.abs(away).max() < 0.56
    assert np.mean(np.abs(away) < 0.25) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("limits", [(12.0, 13.0), (-13.0, -12.0), (-1.0, 2.0), (-2.0, 1.0), (12.0, np.inf), (-np.inf, -12.0)])
def test_a_truncated_normal_has_the_quantiles_of_scipy_far_out_on_either_side_too(limits: tuple[float, float]) -> None:
    at = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    made = np.sort(_truncated(np.full(5, 3.0), np.full(5, 2.0), 3.0 + 2.0 * np.array(limits), at))
    assert made == pytest.approx(stats.truncnorm.ppf(at, *limits, loc=3.0, scale=2.0), rel=1e-7)


def test_a_total_after_constant_flow_gives_the_flow() -> None:
    total = LogSum(("users", "rate"), 0, MONTHS, shift=float(np.log(30.4375)))
    series = Series("p", (flat(users_sd=1e-9).processes[0], replace(flat().processes[1], shared={})))
    solution = at_mode(Model([series], [Row("a", "p", np.log(1e10), (total,), "A", 0.05, 0.05)]))
    state = solution.states["p"]
    assert np.exp(state[0] + state[MONTHS]) == pytest.approx(13_683_017, rel=1e-6)
    assert spread(solution, place=MONTHS) == pytest.approx(0.070588, abs=1e-6)


def test_a_total_under_strong_growth_is_met_draw_by_draw_and_near_the_exact_posterior() -> None:
    n_months, sd = 60, 0.3
    years = np.arange(n_months) / 12
    series = Series("p", (Process("users", 0 * years, own={"level": 1 + 0 * years, "growth": 0.5 * years}),))
    total = Row("a", "p", np.log(n_months) + 1, (LogSum(("users",), 0, n_months),), "A", sd, 0.0)
    solution = at_mode(Model([series], [total]))
    draws = Draws(Fit(solution.model, solution, [solution], np.ones(1), solution.evidence), seed=3, n_draws=20_000)
    states = dict(draws)["p"]
    assert draws.observation_error("p")["a"] < 0.01
    level, growth = np.meshgrid(np.linspace(-6, 6, 401), np.linspace(-3, 3, 401), indexing="ij")
    expected = logsumexp(level[..., None] + growth[..., None] * years, axis=-1)
    density = np.exp(-0.5 * (level**2 + (growth / 0.5) ** 2 + ((total.value - expected) / sd) ** 2))
    density /= density.sum()
    at_end = level + growth * years[-1]
    mean = (density * at_end).sum()
    spread_at_end = np.sqrt((density * (at_end - mean) ** 2).sum())
    assert abs(states["users"][-1].mean() - mean) < 0.2 * spread_at_end  # the linear form alone is 0.29 away
    assert states["users"][-1].std() == pytest.approx(spread_at_end, rel=0.12)  # and 0.18 too narrow


def test_order_of_rows_and_series_changes_nothing() -> None:
    rows = [
        stated("a", 1e9, 2, "A"),
        stated("b", 5e8, 3, "B", series="q"),
        stated("c", 2e9, 3, "A", offset=(0.0, np.inf), offset_sd=0.4),
    ]
    one = drawn(Model([flat("p"), flat("q")], rows), n_draws=50)
    two = drawn(Model([flat("q"), flat("p")], rows[::-1]), n_draws=50)
    assert all(np.array_equal(one[key]["users"], two[key]["users"]) for key in one)


def test_one_more_point_never_widens() -> None:
    rows = [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B"), stated("c", 9e8, 3, "C", month=2)]
    spreads = [spread(at_mode(Model([flat()], rows[:n]))) for n in range(4)]
    assert spreads == sorted(spreads, reverse=True)


def test_no_rows_at_all_is_the_prior() -> None:
    fitted = fit(Model([flat()], []), seed=1, n_points=4)
    users = dict(Draws(fitted, seed=1, n_draws=20_000))["p"]["users"][0]
    assert (users.mean(), users.std()) == pytest.approx((LOG_PRIOR, 1.5), abs=0.03)


def test_a_series_without_rows_only_feels_what_it_shares() -> None:
    uploads = Row("a", "p", np.log(1e8), (LogSum(("users", "rate"), 3, 4),), "A", 0.05, 0.05)
    solution = at_mode(Model([flat("p"), flat("q")], [uploads]))
    moved = solution.states["q"] - solution.model.series["q"].mean
    assert np.allclose(moved[:MONTHS], 0)
    assert np.all(moved[MONTHS:] > 0.01)


def test_raising_a_soft_floor_never_lowers_the_median() -> None:
    medians = [
        np.median(
            drawn(Model([flat()], [stated("a", floor, 2, "A", offset=(0.0, np.inf), offset_sd=0.4)]), 4_000)["p"]["users"][0]
        )
        for floor in (1e8, 3e8, 1e9, 3e9)
    ]
    assert medians == sorted(medians)


def test_dropping_a_row_and_adding_it_again_restores_the_draws_bit_for_bit() -> None:
    rows = [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B"), stated("c", 2e9, 3, "C", offset=(0.0, np.inf), offset_sd=0.4)]
    first, without, again = (drawn(Model([flat()], list(some)), 200)["p"]["users"] for some in (rows, rows[:2], rows))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, without)


def test_a_row_about_one_series_leaves_the_random_numbers_of_others_alone() -> None:
    series = [replace(flat(key), processes=(flat(key, gp_sd=0.3).processes[0],)) for key in ("p", "q")]
    rows = [stated("a", 1e9, 2, "A", series="q")]
    before = drawn(Model(series, rows), 100)
    after = drawn(Model(series, [*rows, stated("b", 5e8, 3, "B", series="p")]), 100)
    assert np.array_equal(before["q"]["users"], after["q"]["users"])
    assert not np.allclose(before["p"]["users"], after["p"]["users"])


def test_appending_months_does_not_change_earlier_months() -> None:
    def long(n: int) -> Series:
        return Series("p", (Process("users", np.full(n, LOG_PRIOR), own={"users": np.full(n, 1.5)}, gp_sd=0.5, gp_length=12),))

    rows = [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B", month=20)]
    short, more = (drawn(Model([long(n)], rows), 100)["p"]["users"] for n in (24, 30))
    assert np.allclose(short, more[:24], atol=1e-9)


def test_posterior_draws_have_the_posterior_mean_and_spread() -> None:
    model = Model([flat()], [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B")])
    users = drawn(model)["p"]["users"][0]
    assert users.mean() == pytest.approx(20.549425, abs=4 * 0.185 / 200)
    assert users.std() == pytest.approx(0.184982, rel=0.02)


def test_a_figure_far_from_all_others_gets_little_weight_and_moves_little() -> None:
    rows = [stated(name, 1e9, 3, name, month=i) for i, name in enumerate("abcdefgh")]
    model = Model([flat(gp_sd=0.2)], [*rows, stated("odd", 5e10, 3, "odd", month=4)])
    fitted = fit(model, seed=1, n_points=4)
    weights = {row.key: weight for row, weight in zip(model.rows, model.weight, strict=True)}
    assert weights["odd"] < 0.4
    assert min(weight for key, weight in weights.items() if key != "odd") > 0.8
    assert fitted.best.states["p"][4] == pytest.approx(np.log(1e9), abs=0.5)


@pytest.mark.parametrize("value", [1.1e9, 4e9, 5e10])
def test_a_row_that_may_be_contaminated_weighs_its_expected_precision_given_its_error(value: float) -> None:
    odd = stated("odd", value, 3, "C", contamination=(0.2, 1.5))
    model = Model([flat()], [stated("a", 1e9, 2, "A"), stated("b", 9e8, 3, "B"), odd])
    best = at_mode(model)
    place = [row.key for row in model.rows].index("odd")
    mean, variance = (float(item[place]) for item in best.left_out())
    plain = 0.8 * stats.norm.pdf(np.log(value), mean, np.sqrt(variance))
    contaminated = 0.2 * stats.norm.pdf(np.log(value), mean, np.sqrt(variance + 1.5**2))
    precision = (plain + contaminated * 0.3**2 / (0.3**2 + 1.5**2)) / (plain + contaminated)
    assert _robust_weights(best, 4.0)[place] == pytest.approx(precision, rel=1e-9)


def test_refitting_like_another_estimates_nothing_anew() -> None:
    rows = [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B")]
    fitted = fit(Model([flat()], rows), seed=1, n_points=4)
    again = fit_like(Model([flat()], rows), search(Model([flat()], rows), seed=1, n_points=4))
    assert np.array_equal(again.best.theta, fitted.best.theta)
    one, two = (dict(Draws(item, seed=1, n_draws=50))["p"]["users"] for item in (fitted, again))
    assert np.allclose(one, two)


def test_e05_doubling_every_uncertainty_widens_every_interval() -> None:
    def fitted(factor: float) -> Model:
        rows = [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B", offset=(0.0, np.inf), offset_sd=0.4 * factor)]
        return Model(
            [flat(users_sd=1.5 * factor)], [replace(row, sd=row.sd * factor, bias_sd=row.bias_sd * factor) for row in rows]
        )

    narrow, wide = (drawn(fitted(factor), 4_000)["p"]["users"] for factor in (1.0, 2.0))
    assert np.all(wide.std(axis=1) > 1.5 * narrow.std(axis=1))


def test_e07_a_thousand_and_ten_thousand_draws_agree_within_their_own_error() -> None:
    model = Model([flat()], [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B")])
    few, many = (drawn(model, n)["p"]["users"][0] for n in (1_000, 10_000))
    sd = many.std()
    assert abs(few.mean() - many.mean()) < 4 * sd / np.sqrt(1_000)
    for q in (0.05, 0.95):
        assert abs(np.quantile(few, q) - np.quantile(many, q)) < 4 * 0.067 * sd


def test_gradients_are_the_slopes() -> None:
    series, rng = flat(), np.random.default_rng(1)
    row = Row(
        "a", "p", 0.0,
        (LogSum(("users", "rate"), 2, 9, shift=1.0), LogSum(("users",), 2, 9, coefficient=-1.0)), "A", 0.1, 0.1,
    )  # fmt: skip
    z = series.mean + rng.normal(size=len(series.mean))
    _, gradient = evaluate(series, row, z, None)
    slopes = [
        (evaluate(series, row, z + step, None)[0] - evaluate(series, row, z - step, None)[0]) / 2e-6
        for step in 1e-6 * np.eye(len(z))
    ]
    assert gradient == pytest.approx(slopes, abs=1e-7)
    assert evaluate_many(series, [row], z[:, None], None)[0, 0] == pytest.approx(evaluate(series, row, z, None)[0])


def test_predicting_other_rows_uses_only_known_ones() -> None:
    rows = [stated("a", 1e9, 2, "A"), stated("b", 5e8, 3, "B")]
    mean, variance = predict_others(Model([flat()], rows), {"b"}, np.zeros(0))
    assert mean["a"] == pytest.approx(19.997694, abs=1e-6)
    assert np.sqrt(variance["a"]) == pytest.approx(0.433382, abs=1e-6)


def test_an_unknown_series_a_value_that_is_not_finite_and_more_than_2000_rows_are_refused() -> None:
    for bad in (stated("a", 1e9, 2, "A", series="nowhere"), replace(stated("a", 1e9, 2, "A"), value=float("nan"))):
        with pytest.raises(ModelFailedError, match="not finite"):
            Model([flat()], [bad])
    rows = [stated(str(i), 1e9, 2, "A") for i in range(2_001)]
    assert len(Model([flat()], rows[1:]).rows) == 2_000
    with pytest.raises(ModelFailedError, match="2001 observations"):
        Model([flat()], rows)


def test_the_correlation_of_drift_does_not_depend_on_how_many_months_follow() -> None:
    assert np.array_equal(matern(10, 6.0), matern(20, 6.0)[:10, :10])


def test_e06_draws_are_the_same_bytes_on_one_thread_and_on_two(pytestconfig: pytest.Config) -> None:
    code = (
        "import hashlib\n"
        "import datamoat, polars as pl\n"
        "from moat.volume.observations import read_priors\n"
        "from moat.volume.simulation import fit_data_set, simulate\n"
        "PRIORS = read_priors(pl.read_csv('data/reference/assumptions.csv').rename({'name': 'assumption_name'}))\n"
        "print(hashlib.sha256(fit_data_set(simulate(PRIORS, 5, 6), PRIORS, n_draws=64).tobytes()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": "src"},
        ).stdout.strip()
        for threads in ("1", "2")
    }  # fmt: skip
    assert len(seen) == 1


def test_draws_that_the_slopes_of_the_mean_lead_astray_are_brought_home_by_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    years = np.arange(60) / 12
    series = Series("p", (Process("users", 0 * years, own={"level": 1 + 0 * years, "growth": 6 * years}),))
    rows = [Row("a", "p", np.log(60), (LogSum(("users",), 0, 60),), "A", 0.05, 0.0)]
    solution = at_mode(Model([series], rows))

    def missed() -> float:
        draws = Draws(Fit(solution.model, solution, [solution], np.ones(1), solution.evidence), seed=3, n_draws=500)
        return draws.observation_error("p")["a"]

    assert missed() < 0.01
    monkeypatch.setattr("moat.volume.draws.STEPS", 0)
    assert missed() > 1


def test_a_series_longer_than_the_matrix_computed_once_for_all_has_a_row_for_each_month() -> None:
    n = LONGEST + 1
    for made in (
        matern(n, 6.0),
        processes.matern_slope(n, 6.0),
        processes.matern_root(n, 6.0),
        processes.drift_covariance(n, 2.0, 6.0),
    ):
        assert made.shape == (n, n)
    step = 1e-5
    slope = (matern(n, 6.0 * np.exp(step)) - matern(n, 6.0 * np.exp(-step))) / (2 * step)
    assert np.allclose(processes.matern_slope(n, 6.0), slope, atol=1e-8)
