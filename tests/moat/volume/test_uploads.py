"""The shape of a platform: what is observed, what is lost, what a part is."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from datamoat.errors import ContentError
from moat.uncertainty.assumptions import long_draws, quantile_columns, read_assumptions, stacked
from moat.uncertainty.quantiles import Split
from moat.volume.observations import build_rows, read_platforms, read_priors, read_statements
from moat.volume.processes import Row, Series, evaluate, evaluate_each, evaluate_many
from moat.volume.totals import part_volumes, volumes
from moat.volume.uploads import (
    KINDS,
    Event,
    Platform,
    assumption_of,
    build_loss,
    build_series,
    month_index,
    month_start,
    parts_of,
    widened,
    widened_rows,
)

REFERENCE = Path(__file__).parents[3] / "data" / "reference"
PRIORS = read_priors(pl.read_csv(REFERENCE / "assumptions.csv", glob=False).rename({"name": "assumption_name"}))
LAST = month_index(date(2024, 12, 1))
PLATFORM = Platform("p", "short", month_index(date(2022, 1, 1)))
FLAT = {
    "users": np.full((36, 2), np.log(1e8)),
    "rate": np.full((36, 2), np.log(0.1)),
    "duration": np.full((36, 2), np.log(36.0)),
    "early_loss": np.zeros((1, 2)),
    "late_hazard": np.zeros((1, 2)),
}


def test_months_are_counted_from_the_epoch_and_back() -> None:
    assert [month_start(month_index(day)) for day in (date(2004, 2, 29), date(2020, 1, 1), date(2026, 12, 31))] == [
        date(2004, 2, 1), date(2020, 1, 1), date(2026, 12, 1),
    ]  # fmt: skip


def test_hours_are_uploads_times_seconds_and_stop_when_a_platform_closes() -> None:
    found = volumes(FLAT, PLATFORM._replace(ended=PLATFORM.launched + 30), build_loss(PRIORS))["p"]
    assert found.uploads_per_day[0, 0] == pytest.approx(1e7)
    assert found.upload_hours_per_day[0, 0] == pytest.approx(1e5)
    assert np.all(found.uploads_per_day[30:] == 0)
    assert np.all(np.diff(found.stock_hours[29:], axis=0) < 0)
    assert found.stock_hours[0, 0] == pytest.approx(1e5 * 30.4375)


def test_a_part_is_a_share_of_its_platform_from_its_own_launch_on() -> None:
    whole = volumes(FLAT, PLATFORM, build_loss(PRIORS))["p"]
    part = part_volumes(
        whole, PLATFORM, PLATFORM._replace(key="q", launched=PLATFORM.launched + 12), np.array([0.5, 0.2]), np.array([18.0, 18.0]),
        FLAT, build_loss(PRIORS),
    )  # fmt: skip
    assert part.uploads_per_day.shape == (24, 2)
    assert part.uploads_per_day[0] == pytest.approx([5e6, 2e6])
    assert part.upload_hours_per_day[0, 0] == pytest.approx(25_000)


SHORT = Platform("q", "short", PLATFORM.launched + 12)
BOTH = PLATFORM._replace(kind="long", lengths=(SHORT,))
TWO = FLAT | {
    "rate@q": np.full((24, 2), np.log(0.3)), "duration@q": np.full((24, 2), np.log(12.0)),
    "early_loss@q": np.zeros((1, 2)), "late_hazard@q": np.full((1, 2), 2.0),
}  # fmt: skip


def test_two_classes_of_length_add_up_to_their_platform() -> None:
    found = volumes(TWO, BOTH, build_loss(PRIORS))
    whole, short = found["p"], found["q"]
    alone = volumes(FLAT, PLATFORM, build_loss(PRIORS))["p"]
    assert whole.uploads_per_day[:, 0] == pytest.approx([1e7] * 12 + [4e7] * 24)
    assert whole.mean_duration_seconds[:, 0] == pytest.approx([36.0] * 12 + [(36 + 3 * 12) / 4] * 24)
    assert whole.stock_hours[12:] == pytest.approx(alone.stock_hours[12:] + short.stock_hours)
    assert short.stock_videos[-1, 0] < 3 * volumes(FLAT, PLATFORM._replace(key="q"), build_loss(PRIORS))["q"].stock_videos[23, 0]


def two_lengths(mean: dict[str, float]) -> Series:
    series = build_series(BOTH, LAST, PRIORS)
    return replace(
        series, processes=tuple(replace(p, mean=np.full(len(p.mean), mean.get(p.name, 0.0))) for p in series.processes)
    )


@pytest.mark.parametrize(
    "kind", ["uploads_per_day", "hours_per_day", "duration_new", "duration_stock", "videos_public", "hours_public"]
)
def test_a_statistic_of_a_mixture_is_what_the_draws_of_both_classes_give(kind: str) -> None:
    series = two_lengths({name: float(values[0, 0]) for name, values in TWO.items()})
    loss, period = build_loss(PRIORS), (date(2024, 12, 1), date(2024, 12, 31))
    whole = volumes({name: series.mean[span][:, None] for name, span in series.spans.items()}, BOTH, loss)["p"]
    expected = {
        "uploads_per_day": whole.uploads_per_day, "hours_per_day": whole.upload_hours_per_day,
        "duration_new": whole.mean_duration_seconds, "duration_stock": whole.stock_hours / whole.stock_videos * 3600,
        "videos_public": whole.stock_videos, "hours_public": whole.stock_hours,
    }[kind][-1, 0]  # fmt: skip
    parts = parts_of(kind, BOTH, LAST, period)
    assert parts is not None
    row = Row("a", "p", 0.0, parts, "s", 0.1, 0.1)
    value, gradient = evaluate(series, row, series.mean, loss)
    assert np.exp(value) == pytest.approx(expected, rel=1e-9)
    assert evaluate_many(series, [row], series.mean[:, None], loss)[0, 0] == pytest.approx(value, rel=1e-12)
    for place in (
        series.spans["rate"].stop - 1,
        series.spans["rate@q"].stop - 3,
        series.spans["late_hazard@q"].start,
        series.spans["early_loss"].start,
    ):
        step = np.zeros(len(series.mean))
        step[place] = 1e-5
        change = (evaluate(series, row, series.mean + step, loss)[0] - evaluate(series, row, series.mean - step, loss)[0]) / 2e-5
        assert gradient[place] == pytest.approx(change, abs=1e-6)


def test_what_statistics_share_is_computed_once_and_is_right_for_each() -> None:
    series, loss, days = two_lengths({}), build_loss(PRIORS), (date(2023, 6, 1), date(2024, 12, 1), date(2022, 9, 1))
    z = series.mean[:, None] + 0.3 * np.random.default_rng(1).normal(size=(len(series.mean), 4))
    whole = volumes({name: z[span] for name, span in series.spans.items()}, BOTH, loss)["p"]
    rows, expected = [], []
    for day in days:
        for kind, truth in (
            ("videos_public", whole.stock_videos),
            ("hours_public", whole.stock_hours),
            ("duration_stock", whole.stock_hours / whole.stock_videos * 3600),
            ("uploads_per_day", whole.uploads_per_day),
        ):
            parts = parts_of(kind, BOTH, LAST, (day, day))
            assert parts is not None
            rows.append(Row(f"{day}:{kind}", "p", 0.0, parts, "s", 0.1, 0.1))
            expected.append(truth[month_index(day) - BOTH.launched])
    assert np.exp(evaluate_many(series, rows, z, loss)) == pytest.approx(np.array(expected), rel=1e-9)
    for row, truth in zip(rows, expected, strict=True):
        values, gradients = evaluate_each(series, row, np.ascontiguousarray(z.T), loss)
        assert np.exp(values) == pytest.approx(truth, rel=1e-9)
        assert all(
            np.array_equal(gradient, evaluate(series, row, at, loss)[1]) for gradient, at in zip(gradients, z.T, strict=True)
        )


def test_a_statistic_about_one_class_reads_that_class_and_its_share_the_odds() -> None:
    series = two_lengths({name: float(values[0, 0]) for name, values in TWO.items()})
    period = (date(2024, 1, 1), date(2024, 12, 31))

    def value(kind: str, of: str | None) -> float:
        parts = parts_of(kind, BOTH, LAST, period, of=of)
        assert parts is not None
        return float(np.exp(evaluate(series, Row("a", "p", 0.0, parts, "s", 0.1, 0.1), series.mean, build_loss(PRIORS))[0]))

    assert value("uploads_per_day", "q") == pytest.approx(3e7)
    assert value("duration_new", "q") == pytest.approx(12.0)
    assert value("uploads_odds", "q") == pytest.approx(3.0)
    assert value("duration_new", None) == pytest.approx((1e7 * 36 + 3e7 * 12) / 4e7)  # in the middle of the year
    assert parts_of("users_monthly", BOTH, LAST, period, of="q") is None
    assert parts_of("uploads_per_day", BOTH, LAST, (date(2022, 1, 1), date(2022, 6, 30)), of="q") is None


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"uploads_odds"}))
def test_every_kind_reads_back_what_constant_volumes_imply(kind: str) -> None:
    expected = {
        "users_monthly": 1e8, "users_daily": 1e8 * np.exp(-0.598), "uploads_per_day": 1e7, "hours_per_day": 1e5,
        "duration_new": 36.0, "duration_stock": 36.0, "videos_uploaded": 1e7 * 30.4375 * 36, "hours_uploaded": 1e5 * 30.4375 * 36,
    }  # fmt: skip
    platform = flat_series()
    period = (date(2024, 12, 1), date(2024, 12, 31))
    parts = parts_of(kind, PLATFORM, LAST, period, date(2024, 12, 31))
    assert parts is not None

    value, _ = evaluate(platform, Row("a", "p", 0.0, parts, "s", 0.1, 0.1), platform.mean, build_loss(PRIORS))
    if kind in expected:
        assert np.exp(value) == pytest.approx(expected[kind], rel=1e-9)
    else:  # what is left public is less than what was uploaded
        assert np.exp(value) < expected["videos_uploaded"]


def flat_series() -> Series:
    series = build_series(PLATFORM, LAST, PRIORS)
    means = {"users": np.log(1e8), "rate": np.log(0.1), "duration": np.log(36.0)}
    return replace(
        series, processes=tuple(replace(p, mean=np.full(len(p.mean), means.get(p.name, p.mean[0]))) for p in series.processes)
    )


def test_a_statement_from_before_the_launch_is_left_out() -> None:
    assert parts_of("uploads_per_day", PLATFORM, LAST, (date(2020, 1, 1), date(2020, 12, 31))) is None
    cut = parts_of("uploads_per_day", PLATFORM, LAST, (date(2021, 7, 1), date(2022, 6, 30)))
    assert cut is not None
    assert (cut[0].start, cut[0].stop) == (0, 6)


def test_a_cohort_is_as_old_as_it_was_on_the_day_it_was_counted_and_else_on_the_last_day_of_its_period() -> None:
    period = (date(2024, 1, 1), date(2024, 3, 31))
    later, at_once = (parts_of("cohort_public", PLATFORM, LAST, period, seen_on) for seen_on in (date(2024, 9, 15), None))
    assert later is not None
    assert at_once is not None
    assert later[0].ages is not None
    assert at_once[0].ages is not None
    assert (later[0].ages.tolist(), at_once[0].ages.tolist()) == ([8.0, 7.0, 6.0], [2.0, 1.0, 0.0])


def test_a_launch_after_the_grid_and_a_missing_prior_are_refused() -> None:
    with pytest.raises(ContentError, match="after the last month"):
        build_series(PLATFORM._replace(launched=LAST + 1), LAST, PRIORS)
    with pytest.raises(ContentError, match="prior_users_level"):
        build_series(PLATFORM, LAST, {})


def test_an_event_adds_a_step_and_a_change_of_slope_and_nothing_before() -> None:
    event = Event("E1", "rate", PLATFORM.launched + 10, 0.5, 0.6)
    rate = build_series(PLATFORM._replace(events=(event,)), LAST, PRIORS).processes[1]
    assert np.all(rate.own["event:E1:step"][:10] == 0)
    assert np.all(rate.own["event:E1:step"][10:] == 0.5)
    assert rate.own["event:E1:slope"][22] == pytest.approx(0.6)
    assert assumption_of("own", "p:event:E1:step") == ("E1", "p")


def test_every_base_normal_of_the_model_has_an_assumption_behind_it() -> None:
    series = build_series(BOTH, LAST, PRIORS)
    for process in series.processes:
        for name in process.shared:
            assert assumption_of("shared", name)[0] in PRIORS
        for name in process.own:
            assert assumption_of("own", f"p:{name}")[0] in PRIORS
        if process.gp_sd:
            assert assumption_of("gp", f"p:{process.name}")[0] in PRIORS


def test_widening_doubles_what_is_uncertain_and_leaves_the_middle() -> None:
    wide = widened(PRIORS, 2)
    assert wide["prior_users_level"].p50 == PRIORS["prior_users_level"].p50
    assert wide["prior_users_level"].sd == pytest.approx(2 * PRIORS["prior_users_level"].sd)
    assert wide["prior_users_drift"].p50 == 2 * PRIORS["prior_users_drift"].p50
    row = Row("a", "p", 0.0, (), "s", 0.1, 0.2, 0.05, (-0.1, 0.1))
    assert widened_rows([row], 2)[0].offset == (-0.2, 0.2)


def test_tables_become_platforms_statistics_and_priors() -> None:
    series = pl.DataFrame(
        {
            "platform_id": ["a", "b", "c", "late"], "class": ["short", "short", "short", "long"],
            "launched_on": [date(2020, 1, 5), None, date(2021, 1, 1), date(2030, 1, 1)], "closed_on": [date(2023, 2, 10), None, None, None],
            "assumed_launch_on": [None, date(2021, 1, 1), None, None], "share_assumption_id": [None, "A1", None, None],
            "parent_platform_id": [None, "a", "a", None],
        }
    )  # fmt: skip
    events = pl.DataFrame(
        {
            "event_id": ["E1"],
            "platform_id": ["a"],
            "process": ["rate"],
            "starts_on": [date(2021, 1, 1)],
            "step_sd": [0.5],
            "slope_sd": [0.5],
        }
    )
    fitted, parts = read_platforms(series, events, LAST)
    assert (list(fitted), list(parts)) == (["a"], ["b"])
    assert fitted["a"].ended == month_index(date(2023, 2, 1)) + 1
    assert fitted["a"].events[0].event_id == "E1"
    assert [item.key for item in fitted["a"].lengths] == ["c"]
    used = pl.DataFrame(
        {
            "fact_id": ["F2", "F1"], "platform_id": ["a", "a"], "observation_kind": ["uploads_per_day"] * 2, "log_value": [1.0, 2.0],
            "period_start_on": [date(2021, 1, 1), date(2010, 1, 1)], "period_end_on": [date(2021, 1, 31), date(2010, 1, 31)],
            "seen_on": [date(2021, 1, 31)] * 2, "source_key": ["s"] * 2, "noise_name": ["obs_sd_volume_t2"] * 2, "bias_name": ["obs_bias_volume_t2"] * 2, "noise_sd": [0.1] * 2,
            "bias_sd": [0.1] * 2, "extra_sd": [0.0] * 2, "contamination_share": [0.5, None], "contamination_sd": [1.0, None], "offset_low": [0.0, None], "offset_high": [None, None], "offset_sd": [None, None],
        }, schema_overrides={"offset_high": pl.Float64, "offset_sd": pl.Float64},
    )  # fmt: skip
    statements = read_statements(used)
    assert [item.key for item in statements] == ["F1", "F2"]
    rows = build_rows(fitted, LAST, statements)
    assert [(row.key, row.offset, row.contamination) for row in rows] == [("F2", (0.0, np.inf), (0.5, 1.0))]
    priors = read_priors(
        pl.DataFrame({"assumption_name": ["x"], "distribution": ["beta"], "p05": [0.1], "p50": [0.2], "p95": [0.3]})
    )
    assert priors["x"] == Split("beta", 0.1, 0.2, 0.3)


def test_an_assumption_is_the_same_number_wherever_it_is_drawn() -> None:
    table = pl.DataFrame(
        {"assumption_id": ["A1"], "name": ["x"], "distribution": ["beta"], "p05": [0.1], "p50": [0.2], "p95": [0.3]}
    )
    one, two = (read_assumptions(table, seed=1, n_draws=n) for n in (500, 500))
    assert np.array_equal(one.draw("x", "a"), two.draw("x", "a"))
    assert not np.array_equal(one.draw("x", "a"), one.draw("x", "b"))
    wide = read_assumptions(table, seed=1, n_draws=500, widen=2.0)
    assert wide.draw("x").std() > 1.7 * one.draw("x").std()
    with pytest.raises(ContentError, match="'y'"):
        one.draw("y")


def test_draws_become_rows_and_quantiles_and_unknown_becomes_null() -> None:
    values = np.array([[1.0, 2.0, 3.0], [np.nan, np.nan, np.nan]])
    long = long_draws({"k": ["a", "b"]}, {"v": values, "w": None}, 2, pl.Float64)
    assert long.rows() == [("a", 1, 1.0, None), ("a", 2, 2.0, None), ("b", 1, None, None), ("b", 2, None, None)]
    found = quantile_columns({"v": values, "w": None}, 2)
    assert found["v_p50"].to_list() == [2.0, None]
    assert found["w_p05"].to_list() == [None, None]
    assert stacked(pl.DataFrame({"x": [[1.0, 2.0], [3.0, 4.0]]}), "x").tolist() == [[1.0, 2.0], [3.0, 4.0]]
