"""Shifts of level: the known ones in the publisher's own totals, none in noise, and a made one on its day."""

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from moat.regimes import level, level_shifts

KNOWN = {
    date(2023, 10, 17): 2.15,
    date(2023, 12, 16): 3.06,
    date(2024, 9, 28): 0.19,
    date(2024, 10, 19): 2.06,
    date(2025, 5, 29): 0.47,
}


def test_the_686_days_have_the_five_known_shifts_and_no_other(checkout: Path) -> None:
    with (checkout / "data" / "reference" / "dsa_daily_totals.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 686
    for column in ("n_statements_counted", "n_statements_listed"):
        shifts = level_shifts(np.array([float(row[column]) for row in rows]))
        found = {date.fromisoformat(rows[shift.index]["received_on"]): shift.factor for shift in shifts}
        assert set(found) == set(KNOWN)
        assert all(found[day] == pytest.approx(factor, abs=0.01) for day, factor in KNOWN.items())


def made(n_days: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    weekly = 1 + 0.3 * np.sin(2 * np.pi * np.arange(n_days) / 7)
    return 1e6 * weekly * random.lognormal(0, 0.15, n_days)


@pytest.mark.parametrize("seed", range(20))
def test_a_weekly_rhythm_a_backfill_and_an_outage_of_five_days_are_no_shift(seed: int) -> None:
    values = made(200, seed)
    values[60:65] *= 30
    values[120:125] *= 0.02
    values[150:153] = np.nan
    assert level_shifts(values) == ()


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_a_made_shift_is_found_on_its_day(factor: float) -> None:
    errors = []
    for seed in range(20):
        values = made(160, seed)
        values[77:] *= factor
        (shift,) = level_shifts(values)
        errors.append(abs(shift.index - 77))
        assert shift.factor == pytest.approx(factor, rel=0.35)
    assert np.median(errors) <= 2


def test_a_day_of_zero_is_a_missing_day() -> None:
    values = made(160, 3)
    values[77:] *= 3
    missing, zero = values.copy(), values.copy()
    missing[[5, 70, 90]], zero[[5, 70, 90]] = np.nan, 0.0
    found = level_shifts(zero)
    assert found == level_shifts(missing)
    assert len(found) == 1
    assert level(zero[:14]) == level(missing[:14])


def test_a_short_or_empty_series_has_no_shift() -> None:
    assert level_shifts(np.array([])) == ()
    assert level_shifts(made(27, 1)) == ()
    assert np.isnan(level(np.full(20, np.nan)))


@pytest.mark.parametrize(("apart", "n_found"), [(20, 1), (21, 2)])
def test_a_smaller_shift_nearer_than_the_gap_to_a_larger_one_is_left_out(apart: int, n_found: int) -> None:
    values = np.ones(150)
    values[60:] *= 2
    values[60 + apart :] *= 5
    found = level_shifts(values, window=7, gap=21)
    assert len(found) == n_found
    assert found[-1].factor == pytest.approx(5)
