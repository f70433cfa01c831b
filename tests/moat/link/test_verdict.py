"""The verdict in made worlds, at the edges of the rule, and on boards where there is nothing to test."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datamoat.errors import ContentError
from moat.link import association
from moat.link.verdict import Evidence, Looks, Thresholds, examine, judge

_spec = importlib.util.spec_from_file_location("simulated_boards", Path(__file__).with_name("simulated_boards.py"))
assert _spec is not None
assert _spec.loader is not None
worlds = importlib.util.module_from_spec(_spec)
sys.modules["simulated_boards"] = worlds
_spec.loader.exec_module(worlds)

RULE = worlds.rule()
POSITIVE = association.Tested(0.6, 0.001, "monte_carlo", 99_999, 1e-5)
GOOD = Evidence(
    n_companies=25,
    n_with_platform=6,
    are_ratings_tied=False,
    are_volumes_tied=False,
    volume_reliability=0.8,
    test=POSITIVE,
    effect=association.Effect(0.3, 0.6, 0.9),
    partial=0.55,
    worst_p_without_one=0.02,
)
QUICK = Looks(n_random=499, n_random_again=199, n_draws_again=50)


def by_name(name: str) -> "worlds.World":
    return next(world for world in worlds.WORLDS if world.name == name)


@pytest.mark.parametrize("name", ["no effect, 20 companies", "no effect, 26 companies, poor volumes"])
def test_e02_no_effect_is_called_supported_in_at_most_one_world_in_twenty(name: str) -> None:
    assert worlds.verdicts(by_name(name), 60)["supported"] <= 3


def test_e01_a_strong_effect_among_25_companies_is_found() -> None:
    assert worlds.verdicts(by_name("strong effect, 25 companies"), 40)["supported"] >= 38


def test_e01_six_companies_never_give_a_verdict() -> None:
    assert worlds.verdicts(by_name("strong effect, 6 companies"), 20) == {"cannot_tell": 20}


def test_e03_a_confounder_that_drives_both_is_seldom_called_supported() -> None:
    assert worlds.verdicts(by_name("release date drives both"), 40)["supported"] <= 4


def test_the_corrected_interval_holds_the_truth_about_nine_times_in_ten() -> None:
    assert worlds.coverage(by_name("middling effect, 25 companies"), 120) >= 0.83


def test_the_interval_of_a_comparison_of_medians_holds_the_difference_about_nine_times_in_ten() -> None:
    assert worlds.compared(0.6, 0.0, 100) >= 0.83


@pytest.mark.slow
def test_e01_e02_e03_the_long_table_of_worlds_meets_the_promises() -> None:
    shares = {world.name: worlds.verdicts(world, 1_000)["supported"] / 1_000 for world in worlds.WORLDS}
    assert shares["no effect, 20 companies"] <= 0.05
    assert shares["no effect, 26 companies, poor volumes"] <= 0.05
    assert shares["strong effect, 25 companies"] >= 0.95
    assert shares["strong effect, 6 companies"] <= 0.05
    assert shares["release date drives both"] <= 0.10


def test_all_conditions_met_is_supported() -> None:
    assert judge(GOOD, RULE) == ("supported", "all_conditions_met")


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ({"n_companies": 7}, "cannot_tell", "too_few_companies"),
        ({"n_with_platform": 1}, "cannot_tell", "too_few_platform_owners"),
        ({"are_ratings_tied": True}, "cannot_tell", "ratings_tied"),
        ({"are_volumes_tied": True}, "cannot_tell", "volumes_tied"),
        ({"volume_reliability": 0.39}, "cannot_tell", "volumes_too_uncertain"),
        ({"effect": None}, "cannot_tell", "not_computable"),
        ({"test": replace(POSITIVE, p=0.06)}, "cannot_tell", "test_not_positive"),
        ({"test": replace(POSITIVE, value=-0.6)}, "cannot_tell", "test_not_positive"),
        ({"effect": association.Effect(-0.1, 0.3, 0.6)}, "cannot_tell", "interval_includes_zero"),
        ({"worst_p_without_one": 0.11}, "cannot_tell", "one_company_carries_it"),
        ({"partial": 0.3}, "cannot_tell", "partly_date_and_openness"),
        ({"partial": None}, "cannot_tell", "partly_date_and_openness"),
        ({"partial": 0.1}, "not_supported", "explained_by_date_and_openness"),
        (
            {"test": replace(POSITIVE, p=0.5), "effect": association.Effect(-0.4, 0.0, 0.29)},
            "not_supported",
            "effect_below_interest",
        ),
    ],
)
def test_each_condition_that_fails_is_named(change: dict[str, object], verdict: str, reason: str) -> None:
    assert judge(replace(GOOD, **change), RULE) == (verdict, reason)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_a_board_with_few_companies_is_examined_without_a_crash(n: int) -> None:
    rng = np.random.default_rng(0)
    found = examine(
        rng.standard_normal((20, n)), rng.standard_normal((20, n)), np.ones(n, dtype=bool), np.zeros((n, 2)), RULE, QUICK
    )
    assert judge(found, RULE) == ("cannot_tell", "too_few_companies")


def test_equal_ratings_and_equal_volumes_are_examined_without_a_crash() -> None:
    rng = np.random.default_rng(0)
    v, same, owners = rng.standard_normal((20, 9)), np.full((20, 9), 5.0), np.arange(9) < 4
    for one, other, reason in ((v, same, "ratings_tied"), (same, v, "volumes_tied")):
        assert judge(examine(one, other, owners, np.zeros((9, 1)), RULE, QUICK), RULE) == ("cannot_tell", reason)


def test_nobody_with_a_platform_is_a_reason_and_no_number() -> None:
    rng = np.random.default_rng(0)
    v, r = rng.standard_normal((2, 20, 9))
    found = examine(v, r, np.zeros(9, dtype=bool), np.zeros((9, 1)), RULE, QUICK)
    assert judge(found, RULE) == ("cannot_tell", "too_few_platform_owners")


def test_a_missing_threshold_is_an_error_that_names_it() -> None:
    with pytest.raises(ContentError, match="max_p"):
        Thresholds.from_rows({"min_n_companies": 8.0})
