"""Forecasts know only what was released before, and their scores are those of the library and of the formula."""

from dataclasses import replace

import numpy as np
import pytest
from fields import PUBLISHED, made_field, ratings, real_field
from scipy import stats

from moat.link.effects import independent
from moat.link.forecast import Predicted, ahead, columns, gain_interval, walk
from moat.link.mixed import Covariance, Projection


def test_a_later_rating_does_not_change_an_earlier_forecast() -> None:
    field = made_field(1, n_companies=40)
    before = walk("size_and_volume", field)
    last = field.day >= np.quantile(field.day, 0.9)
    after = walk("size_and_volume", replace(field, rating=field.rating + 500.0 * last))
    early = np.isfinite(before.mean) & (field.day < field.day[last].min())
    assert early.sum() > 10
    np.testing.assert_array_equal(after.mean[early], before.mean[early])
    assert np.isnan(before.mean[field.day == field.day.min()]).all()


def test_forecasts_are_calibrated_where_the_model_is_true() -> None:
    pits = np.concatenate([
        found[np.isfinite(found)]
        for seed in range(20)
        for field in [made_field(600 + seed, n_companies=40)]
        for found in [walk("company", field).pit(field.rating)]
    ])  # fmt: skip
    assert np.mean((pits > 0.05) & (pits < 0.95)) == pytest.approx(0.9, abs=0.03)
    assert np.mean(pits) == pytest.approx(0.5, abs=0.05)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="nothing is published")
@pytest.mark.parametrize("predictor", ["date", "company"])
def test_forecasts_of_simulated_ratings_of_the_published_entries_are_calibrated(predictor: str) -> None:
    field = real_field(n_draws=5)
    pits = []
    for seed in range(40):
        simulated = replace(field, rating=ratings(field, np.random.default_rng(seed)))
        pits.append(walk(predictor, simulated).pit(simulated.rating))
    found = np.concatenate(pits)
    found = found[np.isfinite(found)]
    assert np.mean((found > 0.05) & (found < 0.95)) == pytest.approx(0.9, abs=0.02)


def test_the_company_effect_is_the_best_linear_prediction_of_full_matrices() -> None:
    field = made_field(2, n_companies=12)
    coming = replace(
        field.only(np.arange(len(field.rating)) < 3), model=np.array([9_001, 9_002, 9_003]), day=np.full(3, field.day.max() + 0.1)
    )
    found = ahead("company", field, coming)
    both_day = np.concatenate([field.day, coming.day])
    levels = np.eye(4)[np.concatenate([field.groups.spread, coming.board])]
    x = np.hstack([levels, levels * (both_day - both_day.mean())[:, None], np.vstack([field.controls, coming.controls])])
    n = len(field.rating)
    from moat.link.mixed import reml

    fit = reml(field.groups, x[:n], field.rating)
    v = np.linalg.inv(Projection(Covariance(field.groups, fit.v.log_sd), x[:n], field.rating).v.solve(np.eye(n)))
    shared = fit.v.variances[0] * (field.company[:, None] == coming.company[None, :])
    mean = x[n:] @ fit.beta + shared.T @ np.linalg.solve(v, field.rating - x[:n] @ fit.beta)
    np.testing.assert_allclose(found.mean, mean, atol=0.05)


@pytest.mark.parametrize("predictor", ["size_and_volume", "company"])
def test_the_last_day_of_a_walk_is_forecast_from_all_that_is_known(predictor: str) -> None:
    field = made_field(4, n_companies=30)
    last = field.day == field.day.max()
    found = walk(predictor, field)
    moved = replace(field, rating=field.rating + 100.0 * last)  # ratings of the day itself say nothing
    np.testing.assert_array_equal(walk(predictor, moved).mean[last], found.mean[last])
    extra = columns(predictor, field)
    levels = np.eye(4)[field.groups.spread]
    x = np.hstack([levels, levels * (field.day - field.day.mean())[:, None], field.controls, extra])
    x = x[:, independent(x[~last])]
    variances = np.exp(2 * list(found.fits.values())[-1])
    groups = field.groups
    company = (groups.company[:, None] == groups.company).astype(float)
    model = (groups.model[:, None] == groups.model) * company
    v = variances[0] * company + variances[1] * model + np.diag(variances[2:][groups.spread] + groups.se**2)
    inverse = np.linalg.inv(v[np.ix_(~last, ~last)])
    cov = np.linalg.inv(x[~last].T @ inverse @ x[~last])
    beta = cov @ x[~last].T @ inverse @ field.rating[~last]
    shared = v[np.ix_(~last, last)] if predictor == "company" else np.zeros(((~last).sum(), last.sum()))
    weights = inverse @ shared
    rows = x[last] - weights.T @ x[~last]
    np.testing.assert_allclose(found.mean[last], rows @ beta + weights.T @ field.rating[~last], rtol=1e-8)
    expected = np.diag(v)[last] - (shared * weights).sum(axis=0) + np.einsum("ij,jk,ik->i", rows, cov, rows)
    np.testing.assert_allclose(found.scale[last] ** 2, expected, rtol=1e-6)
    assert set(found.df[last]) == {len(np.unique(groups.company[~last])) - 1}


def test_forecasts_do_not_depend_on_where_the_fits_start() -> None:
    field = made_field(5, n_companies=30)
    found = walk("owning", field)
    again = walk("owning", field, replace(found, fits={day: log_sd + 0.5 for day, log_sd in found.fits.items()}))
    seen = np.isfinite(found.mean)
    np.testing.assert_allclose(again.mean[seen], found.mean[seen], atol=0.1)
    np.testing.assert_allclose(again.scale[seen], found.scale[seen], rtol=1e-2)


def test_scores_are_those_of_the_density_of_t_and_of_an_integral() -> None:
    predicted = Predicted(np.array([1000.0, 1050.0]), np.array([40.0, 20.0]), np.array([12.0, 30.0]))
    rating = np.array([1010.0, 1100.0])
    np.testing.assert_allclose(
        predicted.log_score(rating), stats.t.logpdf(rating, predicted.df, predicted.mean, predicted.scale), rtol=1e-9
    )
    for i in range(2):
        at = np.linspace(0, 2200, 220_001)
        below = stats.t.cdf(at, predicted.df[i], predicted.mean[i], predicted.scale[i])
        assert predicted.crps(rating)[i] == pytest.approx(((below - (at >= rating[i])) ** 2).sum() * 0.01, abs=0.05)
        assert predicted.quantiles((0.05, 0.95))[i] == pytest.approx(np.interp([0.05, 0.95], below, at), abs=0.05)


def test_each_board_has_a_trend_of_its_own() -> None:
    field = made_field(3, n_companies=40)
    steep = replace(field, rating=field.rating + 200.0 * field.day * (field.board == 1))
    before, after = walk("date", field), walk("date", steep)
    late = np.isfinite(before.mean) & (field.day > np.quantile(field.day, 0.7))
    moved = (after.mean - before.mean - 200.0 * field.day * (field.board == 1))[late]
    assert np.abs(moved).max() < 40


def test_owning_that_acts_is_worth_knowing() -> None:
    gains = []
    for seed in range(6):
        field = made_field(700 + seed, n_companies=40, n_owners=10)
        field = replace(field, rating=ratings(field, np.random.default_rng(seed), owning=120.0))
        with_, without = (walk(name, field).log_score(field.rating) for name in ("owning", "date"))
        gains.append(np.nanmean(with_ - without))
    assert np.mean(gains) > 0.05


def test_the_interval_of_a_gain_draws_companies() -> None:
    company = np.repeat(np.arange(10), 5)
    estimate, low, high = gain_interval(np.repeat(np.arange(10) / 10, 5), company, seed=1)
    assert estimate == pytest.approx(0.45)
    assert high - low == pytest.approx(2 * 1.645 * np.std(np.arange(10) / 10) / np.sqrt(10), rel=0.15)


def test_a_leader_with_the_same_forecast_is_overtaken_in_half_of_cases() -> None:
    predicted = Predicted(np.array([1200.0, 1250.0]), np.full(2, 30.0), np.full(2, 1e9))
    chances = predicted.chance_above(np.full(2, 1200.0), np.array([5.0, 40.0]))
    np.testing.assert_allclose(chances, [0.5, stats.norm.cdf(50 / 50)])
