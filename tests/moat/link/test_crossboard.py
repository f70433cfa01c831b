"""One score over boards, against the worked example and against what it must not depend on."""

import numpy as np
import pytest

from moat.link.crossboard import cross_board_scores
from moat.uncertainty.quantiles import Split

MODEL, BOARD = np.array([0, 1, 0, 2]), np.array([0, 0, 1, 1])
RATING, SE = np.array([1200.0, 1150, 1300, 1220]), np.array([5.0, 5, 8, 8])
PRIOR, THIRTY = Split("lognormal", 15, 35, 70), Split("fixed", 30, 30, 30)


def test_three_models_on_two_boards_give_the_worked_scores() -> None:
    scores = cross_board_scores(MODEL, BOARD, RATING, SE, THIRTY)
    assert scores.mean == pytest.approx([40.736, -7.818, -32.918], abs=1e-3)
    assert scores.sd == pytest.approx([61.059, 64.932, 65.090], abs=1e-3)
    assert scores.p_greater(0, 1) == pytest.approx(0.8839, abs=1e-4)


def test_the_level_of_a_board_moves_no_score() -> None:
    moved = cross_board_scores(MODEL, BOARD, RATING + np.array([0, 0, 400.0, 400]), SE, THIRTY)
    assert moved.mean == pytest.approx(cross_board_scores(MODEL, BOARD, RATING, SE, THIRTY).mean, abs=1e-6)


def test_few_shared_models_leave_omega_near_its_prior() -> None:
    scores = cross_board_scores(MODEL, BOARD, RATING, SE, PRIOR)
    assert scores.is_assumed
    assert 15 < scores.omega < 70
    tighter = cross_board_scores(MODEL, BOARD, RATING, SE, PRIOR._replace(p05=34, p95=36))
    assert tighter.omega == pytest.approx(35, abs=1)


def test_many_shared_models_find_how_far_boards_disagree() -> None:
    rng = np.random.default_rng(0)
    model, board = np.tile(np.arange(60), 3), np.repeat(np.arange(3), 60)
    quality = 100 * rng.standard_normal(60)
    rating = quality[model] + 20.0 * rng.standard_normal(180) + 100 * board
    assert cross_board_scores(model, board, rating, np.full(180, 5.0), PRIOR).omega == pytest.approx(20, abs=5)
