"""From hours uploaded per month to cumulative public hours."""

import numpy as np
import pytest

from moat.uncertainty.quantiles import Split
from moat.volume.accumulate import public_total
from moat.volume.processes import Loss


def test_ten_years_of_a_million_a_day_with_losses() -> None:
    assert public_total(np.full(120, 1e6), early_loss=0.2, late_hazard=0.03)[-1] == pytest.approx(2_527_587_383, abs=1)


def test_the_running_sum_equals_the_sum_over_ages() -> None:
    rng = np.random.default_rng(2)
    uploads, early, hazard = rng.lognormal(size=(30, 5)), rng.uniform(0.1, 0.3, 5), rng.uniform(0.01, 0.08, 5)
    loss = Loss(Split("fixed", 0, 0, 0), Split("fixed", 0, 0, 0))
    assert loss.log_survival(0.0, 0.0, np.array([24.0])) == pytest.approx(0.0)
    ages = np.arange(29, -1, -1)[:, None]
    expected = (uploads * 30.4375 * (1 - early) * np.exp(-hazard * ages / 12)).sum(axis=0)
    assert public_total(uploads, early_loss=early, late_hazard=hazard)[-1] == pytest.approx(expected)


def test_stock_never_falls_faster_than_deletion_allows() -> None:
    uploads = np.random.default_rng(3).lognormal(sigma=2, size=(50, 8))
    held = public_total(uploads, early_loss=0.2, late_hazard=0.05)
    assert np.all(held[1:] >= held[:-1] * np.exp(-0.05 / 12))
