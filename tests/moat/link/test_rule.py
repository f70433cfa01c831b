"""The verdict is the one that decision 0060 writes down."""

from math import nan

import pytest

from moat.link.rule import Evidence, interval_text, owners_needed, robust, two_digits, verdict

CLEAR = Evidence(50.0, 20.0, 80.0, 0.01)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (CLEAR, ("supported", "above_zero")),
        (Evidence(50.0, 20.0, 80.0, 0.06), ("cannot_tell", "chance_does_as_well")),
        (Evidence(30.0, -5.0, 65.0, 0.01), ("cannot_tell", "interval_too_wide")),
        (Evidence(0.0, -19.0, 19.0, 0.9), ("not_supported", "below_smallest_effect")),
        (Evidence(10.0, 1.0, 19.0, 0.01), ("supported", "above_zero")),
        (Evidence(50.0, 0.0, 80.0, 0.01), ("cannot_tell", "interval_too_wide")),
        (Evidence(50.0, 20.0, 80.0, 0.05), ("cannot_tell", "chance_does_as_well")),
        (Evidence(0.0, -20.0, 20.0, 0.9), ("cannot_tell", "interval_too_wide")),
        (Evidence(10.0, -30.0, 50.0, 0.6, CLEAR), ("not_supported", "vanishes_with_size")),
        (Evidence(20.0, -20.0, 60.0, 0.6, CLEAR), ("cannot_tell", "interval_too_wide")),
        (Evidence(10.0, -30.0, 50.0, 0.6, Evidence(50.0, -1.0, 80.0, 0.1)), ("cannot_tell", "interval_too_wide")),
    ],
)
def test_one_specification(evidence: Evidence, expected: tuple[str, str]) -> None:
    assert verdict(evidence, 20.0) == expected


def test_a_verdict_has_to_be_the_same_under_every_perturbation() -> None:
    decided = ("supported", "above_zero")
    assert robust(decided, [("a", "supported"), ("b", "supported")]) == ("supported", "above_zero", [])
    assert robust(decided, [("a", "supported"), ("b", "cannot_tell")]) == ("cannot_tell", "changes_under_a_perturbation", ["b"])
    open_ = ("cannot_tell", "interval_too_wide")
    assert robust(open_, [("a", "supported")]) == ("cannot_tell", "interval_too_wide", ["a"])


def test_four_times_the_owners_halve_an_interval() -> None:
    assert owners_needed(Evidence(10.0, -10.0, 30.0, 0.3), 20.0, 7) == 28
    assert owners_needed(CLEAR, 20.0, 7) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (62.46, "62"),
        (101.7, "102"),
        (4.66, "4.7"),
        (5.0, "5.0"),
        (-0.0064, "-0.0064"),
        (0.03, "0.030"),
        (0.0, "0"),
        (9.96, "10"),
        (0.996, "1.0"),
        (nan, "nan"),
    ],
)
def test_readers_see_two_digits_or_whole_numbers(value: float, text: str) -> None:
    assert two_digits(value) == text


def test_an_estimate_that_does_not_exist_has_no_text() -> None:
    assert interval_text(None, None, None) is None
    assert interval_text(-3.64, -22.8, 11.8) == "-3.6 (-23 to 12)"
