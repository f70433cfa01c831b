"""Every bound of the anomaly checks holds up to its value and is passed just beyond it, on the next day and after three days."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datamoat.ingest import source_state
from datamoat.ingest.anomaly_checks import compare
from datamoat.ingest.check_descriptions import check_filled, check_match, check_steady
from datamoat.ingest.check_scores import check_ranks, check_score
from datamoat.ingest.check_values import (
    check_dates,
    check_flag,
    check_measure,
    check_nulls,
    check_quotient,
    check_restated,
    check_shares,
    late_rows,
)
from datamoat.ingest.finding import LIKELY, Finding, likely_unit, some
from datamoat.ingest.landings import Landing
from datamoat.ingest.status import State, Status
from datamoat.parsing import Row
from datamoat.project.check_models import (
    AnomalyChecks,
    Bound,
    Filled,
    Flag,
    Leaders,
    Match,
    Measure,
    Quotient,
    Route,
    Score,
    Steady,
    Step,
    When,
)
from datamoat.project.sources import Rows, find_source
from datamoat.settings import Settings

DAY = date(2026, 9, 8)


def bound(most: float, **others: Any) -> Bound:
    return Bound(max=most, reason="made for this test", **others)


WIDENS = bound(0.2, per_day=0.1)  # 0.4 after three days


def rule(**others: Any) -> AnomalyChecks:
    return AnomalyChecks(
        **{"key": ("id",), "gone": bound(0.2), "new": bound(0.2), "nulls": {"*": bound(0.2)}, "label": "id", **others}
    )


def score(**others: Any) -> Score:
    return Score(
        **{
            "column": "rating",
            "votes": "votes",
            "shift": bound(15),
            "stretch": bound(1.5),
            "move": bound(10),
            "crossed": bound(0.12),
            **others,
        }
    )


def rated(*ratings: float | None, votes: list[int] | None = None) -> list[Row]:
    return [{"id": f"m{n}", "rating": rating, "votes": (votes or [100] * len(ratings))[n]} for n, rating in enumerate(ratings)]


def scored(old: list[Row], new: list[Row], fresh: list[Row] | None = None, days: int = 1, **others: Any) -> Finding:
    found = Finding()
    check_score(rule(gone=WIDENS), score(**others), list(zip(old, new, strict=True)), fresh or [], days, found)
    return found


BOARD = (1000.0, 1010.0, 1020.0, 1030.0, 1040.0, 1050.0, 1060.0, 1070.0, 1080.0, 1090.0)


def test_all_ratings_at_one_value_are_gone_from_three_entries_on() -> None:
    assert "every rating is 1000: the ratings are gone" in scored(rated(1000, 1100, 1200), rated(1000, 1000, 1000)).reason
    assert "every rating is 1000: the ratings are gone" in scored(rated(1000, 1000.5, 1001), rated(1000, 1000, 1000)).reason
    assert "gone" not in scored(rated(1000, 1005), rated(1002, 1002)).reason
    assert "gone" not in scored(rated(1000, 1000, 1000), rated(1000, 1000, 1000)).reason
    assert "gone" not in scored(rated(1000, 1100, 1200), rated(1000, 1100, 1200.5)).reason


def test_two_rated_entries_are_compared_and_one_is_not() -> None:
    assert "is spread 3.4 times as wide" in scored(rated(1000, 1010), rated(1000, 1034)).reason
    assert scored(rated(1000), rated(2000)).reason == ""


@pytest.mark.parametrize(
    ("n", "days", "times", "stops"),
    [
        (2, 1, 3.0, False), (2, 1, 3.1, True), (7, 1, 3.0, False), (7, 1, 3.1, True), (8, 1, 1.5, False), (8, 1, 1.6, True),
        (2, 3, 4.0, False), (2, 3, 4.1, True), (8, 3, 2.0, False), (8, 3, 2.1, True),
    ],
)  # fmt: skip
def test_a_spread_may_grow_or_shrink_by_its_bound_and_by_twice_that_with_fewer_than_eight_entries(
    n: int, days: int, times: float, stops: bool
) -> None:
    near, far = rated(*(10.0 * k for k in range(n))), rated(*(times * 10 * k for k in range(n)))
    for old, new in ((near, far), (far, near)):
        found = scored(old, new, days=days, stretch=bound(1.5, per_day=0.25), move=bound(1000), shift=bound(1000))
        assert ("times as wide as before" in found.reason) is stops


@pytest.mark.parametrize(
    ("days", "moved", "stops"), [(1, 10.0, False), (1, 10.5, True), (1, -10.5, True), (3, 20.0, False), (3, 20.5, True)]
)
def test_one_entry_may_move_by_the_bound_against_the_others(days: int, moved: float, stops: bool) -> None:
    found = scored(rated(*BOARD), rated(*BOARD[:-1], BOARD[-1] + moved), days=days, move=bound(10, per_day=5))
    assert bool(found.suspicions) is stops


@pytest.mark.parametrize(("days", "moved", "stops"), [(1, 1.0, False), (1, 1.5, True), (3, 3.0, False), (3, 3.5, True)])
def test_an_entry_without_a_new_vote_may_move_by_a_bound_of_its_own(days: int, moved: float, stops: bool) -> None:
    now = [*BOARD[:-1], BOARD[-1] + moved]
    found = scored(rated(*BOARD), rated(*now), days=days, still=bound(1, per_day=1))
    assert ("without a single new vote" in found.reason) is bool(found.suspicions) is stops
    assert not scored(rated(*BOARD), rated(*now, votes=[100] * 9 + [101]), days=days, still=bound(1, per_day=1)).suspicions


@pytest.mark.parametrize(("moved", "is_noted"), [(5.0, False), (5.5, True), (-5.5, True)])
def test_a_move_is_noted_beyond_the_bound_of_notes(moved: float, is_noted: bool) -> None:
    found = scored(rated(*BOARD), rated(*BOARD[:-1], BOARD[-1] + moved), move=bound(10, note=5))
    assert not found.suspicions
    assert found.notes == ([f"rating of 'm9' moved by {moved:+.4g}"] if is_noted else [])


@pytest.mark.parametrize(
    ("after", "moved", "stops"),
    [(400, 19.9, False), (400, 20.5, True), (1600, 19.9, False), (1600, 20.5, True), (200, 14.0, False), (200, 14.3, True)],
)
def test_an_entry_with_more_votes_may_move_by_the_root_of_their_growth_up_to_twice_the_bound(
    after: int,
    moved: float,
    stops: bool,
) -> None:
    votes = [100] * 9 + [after]
    found = scored(rated(*BOARD), rated(*BOARD[:-1], BOARD[-1] + moved, votes=votes))
    assert bool(found.suspicions) is stops


@pytest.mark.parametrize(
    ("days", "shift", "is_another"), [(1, 15.0, False), (1, 15.5, True), (1, -15.5, True), (3, 25.0, False), (3, 25.5, True)]
)
def test_a_board_that_moves_by_more_than_its_bound_is_on_another_scale(days: int, shift: float, is_another: bool) -> None:
    found = scored(rated(*BOARD), rated(*(rating + shift for rating in BOARD)), days=days, shift=bound(15, per_day=5))
    assert not found.suspicions
    assert any("re-anchored: 10 shared entries" in text for text in found.revisions) is is_another


def test_a_rating_that_is_missing_now_stops_the_vintage_and_one_that_never_was_does_not() -> None:
    (line,) = scored(rated(*BOARD), rated(*BOARD[:9], None)).suspicions
    assert line == "rating is missing now for 1 of 10 entries that are listed still ('m9'): none is expected"
    assert not scored(rated(*BOARD[:9], None), rated(*BOARD[:9], None)).suspicions
    assert not scored(rated(*BOARD[:9], None), rated(*BOARD)).suspicions


def ranks(places: list[int | None], ratings: list[float | None], board: str = "a") -> list[Row]:
    return [{"board": board, "id": f"m{n}", "rank": place, "rating": ratings[n]} for n, place in enumerate(places)]


def ranked(rows: list[Row]) -> Finding:
    found = Finding()
    check_ranks(rule(key=("board", "id")), score(rank="rank"), rows, found)
    return found


@pytest.mark.parametrize(
    ("n", "n_swapped", "stops"), [(10, 1, False), (10, 2, False), (10, 3, True), (60, 3, False), (60, 4, True)]
)
def test_ranks_may_contradict_two_ratings_or_a_twentieth(n: int, n_swapped: int, stops: bool) -> None:
    places = list(range(1, n + 1))
    for k in range(n_swapped):
        places[3 * k], places[3 * k + 1] = places[3 * k + 1], places[3 * k]
    found = ranked(ranks([*places], [float(1000 - k) for k in range(n)]))
    line = [f"rank contradicts rating in {n_swapped} places"]
    assert (found.suspicions, found.notes) == ((line, []) if stops else ([], line))


def test_ranks_are_of_their_board_and_one_without_a_rating_stops_the_vintage() -> None:
    two: list[int | None] = [1, 2]
    assert ranked(ranks(two, [9.0, 8.0]) + ranks(two, [5.0, 4.0], "b")).reason == ""
    assert ranked(ranks(two, [9.0, None])).suspicions == ["rating is missing for 'm1', which have a rank"]
    assert ranked(ranks([1, None], [9.0, None])).reason == ""
    assert ranked(ranks([1, 1], [9.0, 9.0])).reason == "rank is shared by 2 or more entries"
    assert ranked(ranks([1, 3], [9.0, 8.0])).reason == "rank has gaps"


@pytest.mark.parametrize(
    ("scale", "days", "room"),
    [
        (1.0, 1, 165.0),
        (0.1, 1, 50.0),
        (0.1, 3, 100.0),
    ],  # between quartiles lie 55, of which three are more than five moves; and 5.5
)
def test_a_new_entry_may_be_three_spreads_or_five_moves_beyond_the_others(scale: float, days: int, room: float) -> None:
    board = rated(*(rating * scale for rating in BOARD))
    for end, way in ((1000 * scale, -1), (1090 * scale, 1)):
        near, far = (
            scored(board, board, rated(end + way * beyond), days=days, move=bound(10, per_day=5)) for beyond in (room, room + 1)
        )
        assert not near.suspicions
        (line,) = far.suspicions
        assert line.endswith(f"of the new 'm0' is {end + way * (room + 1):g}, far outside {1000 * scale:g} to {1090 * scale:g}")


@pytest.mark.parametrize(
    ("factors", "stops"),
    [
        ([1.25] * 5, True), ([1.24] * 5, False), ([0.8] * 5, True), ([0.81] * 5, False), ([1.25] * 4, False),
        ([3.0, 3.5, 4.0, 4.5, 5.0], False), ([20.0, 30.1, 50.0], True), ([20.0, 29.9, 50.0], False), ([31.0, 40.0], False),
        ([0.6] * 3, True), ([0.61] * 3, False), ([0.6] * 2, False),
        ([3.0, 3.0, 3.0, 3.06, 3.06], True), ([3.0, 3.0, 3.0, 3.07, 3.07], False),
    ],
)  # fmt: skip
def test_votes_in_one_proportion_are_another_unit_from_a_quarter_more_and_five_entries(
    factors: list[float],
    stops: bool,
) -> None:
    n = len(factors)
    old, new = rated(*BOARD[:n], votes=[10_000] * n), rated(*BOARD[:n], votes=[round(10_000 * f) for f in factors])
    assert ("times the last good at the median" in scored(old, new).reason) is stops


@pytest.mark.parametrize(
    ("n", "up", "down", "n_crossed", "stops"),
    [(10, 1.26, 0.79, 1, False), (10, 1.26, 0.79, 2, True), (10, 1.24, 0.79, 2, False), (10, 1.26, 0.81, 2, False),
     (50, 1.26, 0.79, 6, False), (50, 1.26, 0.79, 7, True)],
)  # fmt: skip
def test_counts_that_rise_and_fall_at_once_in_an_eighth_of_the_entries_are_of_others(
    n: int, up: float, down: float, n_crossed: int, stops: bool
) -> None:
    ratings, votes = [1000.0 + k for k in range(n)], [1000] * n
    now = [round(1000 * up)] * n_crossed + [round(1000 * down)] * (n_crossed + 1) + votes[2 * n_crossed + 1 :]
    found = scored(rated(*ratings, votes=votes), rated(*ratings, votes=now))
    assert ("counts of other entries" in found.reason) is bool(found.suspicions) is stops


@pytest.mark.parametrize(("n", "n_zero", "stops"), [(3, 2, False), (4, 3, True), (10, 5, False), (10, 6, True)])
def test_votes_are_gone_where_more_than_two_and_more_than_half_of_the_entries_have_none(n: int, n_zero: int, stops: bool) -> None:
    found = scored(rated(*BOARD[:n]), rated(*BOARD[:n], votes=[0] * n_zero + [100] * (n - n_zero)))
    assert ("the votes are gone" in found.reason) is bool(found.suspicions) is stops


def test_votes_that_fall_by_more_than_a_thousandth_are_withdrawn_and_a_fifth_of_one_entry_is_named() -> None:
    old = rated(*BOARD, votes=[1000] * 10)
    tidied = scored(old, rated(*BOARD, votes=[990] + [1000] * 9))
    withdrawn = scored(old, rated(*BOARD, votes=[989] + [1000] * 9))
    fifth = scored(old, rated(*BOARD, votes=[800] + [1000] * 9))
    more = scored(old, rated(*BOARD, votes=[799] + [1000] * 9))
    assert not tidied.revisions
    assert withdrawn.revisions == ["votes withdrawn: 10,000 to 9,989 over 10 shared entries, 1 of them fell"]
    assert len(fifth.revisions) == 1
    assert more.revisions[1] == "votes of single entries fell by a fifth or more: 'm0 (20%)'"


@pytest.mark.parametrize(
    ("n", "days", "times", "stops"),
    [(8, 1, 1.1, False), (8, 1, 1.2, True), (8, 6, 1.2, False), (8, 6, 1.3, True), (7, 1, 1.3, False), (7, 1, 29.0, False)],
)
def test_votes_may_grow_by_the_bound_on_a_board_of_eight_entries_or_more(n: int, days: int, times: float, stops: bool) -> None:
    had = [1000 + 100 * k for k in range(n)]
    has = [round(votes * times * (1 + 0.03 * (-1) ** k)) for k, votes in enumerate(had)]
    found = scored(rated(*BOARD[:n], votes=had), rated(*BOARD[:n], votes=has), days=days, growth=bound(1.17, per_day=0.02))
    assert bool(found.suspicions) is stops
    assert not stops or "times the last good at the median" in found.reason


@pytest.mark.parametrize(
    ("days", "value", "stops"), [(1, 1110.0, False), (1, 1111.0, True), (3, 1130.0, False), (3, 1131.0, True)]
)
def test_a_new_entry_may_be_above_all_others_by_a_bound(days: int, value: float, stops: bool) -> None:
    fresh = [{"id": "new", "rating": value, "votes": 10}]
    found = scored(rated(*BOARD), rated(*BOARD), fresh, days=days, move=bound(40), ahead=bound(20, per_day=10))
    assert bool(found.suspicions) is stops


@pytest.mark.parametrize(
    ("unit", "n", "ends"),
    [(10, 10, "suspicious"), (10, 7, "ok"), (1, 10, "noted"), (0.1, 10, "ok")],
)
def test_ratings_that_lose_their_last_digits_are_suspicious_where_the_unit_is_a_fiftieth_of_their_spread(
    unit: float, n: int, ends: str
) -> None:
    exact = [1000 + 13.1 * k for k in range(n)]
    found = scored(rated(*exact), rated(*(round(rating / unit) * unit for rating in exact)))
    assert ("its last digits are gone" in "".join(found.suspicions)) is (ends == "suspicious")
    assert ("its last digits are gone" in "".join(found.notes)) is (ends == "noted")


def test_votes_that_lose_their_last_digits_are_noted() -> None:
    had = [1003 + 101 * k for k in range(10)]
    found = scored(rated(*BOARD, votes=had), rated(*BOARD, votes=[round(votes, -1) + 10 for votes in had]))
    assert found.notes == ["votes is in units of 10 now, before of 1: its last digits are gone"]


@pytest.mark.parametrize(("n", "times", "stops"), [(8, 1.2, False), (8, 1.3, True), (7, 1.8, False), (7, 2.0, True)])
def test_fewer_than_eight_values_have_a_bound_of_their_own(n: int, times: float, stops: bool) -> None:
    found = Finding()
    pairs: list[tuple[Row, Row]] = [({"id": k, "width": 10.0 + k}, {"id": k, "width": (10.0 + k) * times}) for k in range(n)]
    check_measure(rule(), Measure(column="width", factor=bound(1.25), few=bound(1.9)), pairs, [], 1, found)
    assert bool(found.suspicions) is stops


def measured(old: list[float | None], new: list[float | None], fresh: list[float] | None = None, days: int = 1) -> Finding:
    found = Finding()
    pairs: list[tuple[Row, Row]] = [
        ({"id": f"m{n}", "users": a}, {"id": f"m{n}", "users": b}) for n, (a, b) in enumerate(zip(old, new, strict=True))
    ]
    one = Measure(column="users", factor=bound(3, per_day=0.5), one=bound(5, per_day=1))
    check_measure(rule(), one, pairs, [{"id": "new", "users": value} for value in fresh or []], days, found)
    return found


def restated(old: list[float], new: list[float], **others: Any) -> Finding:
    found = Finding()
    pairs: list[tuple[Row, Row]] = [
        ({"id": f"m{n}", "users": a}, {"id": f"m{n}", "users": b}) for n, (a, b) in enumerate(zip(old, new, strict=True))
    ]
    check_restated(rule(**others), Measure(column="users", factor=bound(3)), pairs, found)
    return found


@pytest.mark.parametrize(
    ("now", "stops"), [(1009.0, False), (1011.0, True), (991.0, False), (989.0, True), (0.0, True), (-1000.0, True)]
)
def test_a_known_value_is_restated_up_to_a_share_of_it(now: float, stops: bool) -> None:
    found = restated([1000.0, 5.0], [now, 5.0], restated=bound(0.01))
    assert bool(found.suspicions) is stops
    assert not stops or f"in 1 of 2 known rows ('m0, 1000 to {now:g}')" in found.reason
    assert not restated([1000.0], [now]).suspicions, "a live counter is restated by nothing"


@pytest.mark.parametrize(
    ("n", "now", "stops"), [(8, 0.007, False), (8, 0.005, False), (8, 0.008, True), (8, 0.0071, True), (7, 0.007, True)]
)
def test_a_unit_of_the_last_digit_is_rounding_where_eight_values_show_the_digit(n: int, now: float, stops: bool) -> None:
    assert bool(restated([0.006] * n, [now] + [0.006] * (n - 1), restated=bound(0.01)).suspicions) is stops


def test_a_zero_that_becomes_a_value_is_restated_beyond_any_share() -> None:
    assert restated([0.0, 5.0], [3.0, 5.0], restated=bound(0.01)).suspicions
    assert not restated([0.0, 5.0], [0.0, 5.0], restated=bound(0.01)).suspicions


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [(1005.0, 2000.0, "revision"), (1020.0, 2000.0, "suspicious"), (1000.0, 2005.0, "revision"), (1000.0, 2021.0, "suspicious")],
)
def test_every_publication_of_a_history_is_restated_within_the_same_share(before: float, now: float, status: str) -> None:
    checks = rule(
        newest_of="half", restated=bound(0.01), nulls={"users": bound(0.2)}, measures=(Measure(column="users", factor=bound(3)),)
    )
    table: Any = type("Table", (), {"anomaly_checks": checks, "columns": {}, "rows": Rows(), "grain": ("id", "half")})()

    def halves(first: float, second: float, *third: float) -> list[Row]:
        return [{"id": "a", "half": n, "users": value} for n, value in enumerate((first, second, *third))]

    def found(*values: float) -> Finding:
        return compare(table, halves(*values), halves(1000.0, 2000.0), day=DAY, last_day=DAY - timedelta(days=1))

    assert found(before, now).status == status
    assert found(1000.0, 2000.0, 2900.0).status == "ok", "a new publication is no restatement"


def stepped(known: list[float], *added: float, one: float = 3, power: float = 2) -> Finding:
    """Check new rows after the known ones of a series, whose rows come in no order."""
    rows: list[Row] = [{"id": f"m{n:02}", "users": value} for n, value in enumerate([*known, *added])]
    step = Step(along="id", power=power, least=1.2, reason="made for this test")
    measure = Measure(column="users", factor=bound(3), one=bound(one), step=step)
    found = Finding()
    check_measure(rule(), measure, [(row, row) for row in reversed(rows[: len(known)])], rows[len(known) :], 1, found)
    return found


GROWS = [100.0, 110.0, 100.0, 110.0, 140.0, 175.0, 150.0, 100.0]  # the largest step is the last, of 1.5 times


@pytest.mark.parametrize(("value", "stops"), [(224.0, False), (226.0, True), (44.6, False), (44.3, True)])  # 1.5 squared is 2.25
def test_a_new_row_is_a_power_of_the_largest_known_step_away_at_most(value: float, stops: bool) -> None:
    found = stepped(GROWS, value)
    assert bool(found.suspicions) is stops
    assert not stops or "that of 'm07'; the known rows moved by 1.5 times at most, and up to 2.25 is expected" in found.reason
    assert stepped(GROWS, 110.0, 260.0).reason.startswith("users of the new 'm09' is 2.364 times that of 'm08'")


@pytest.mark.parametrize(("value", "stops"), [(119.0, False), (121.0, True), (84.0, False), (83.0, True)])
def test_a_series_that_never_moved_may_move_by_the_least_step(value: float, stops: bool) -> None:
    assert bool(stepped([100.0] * 8, value).suspicions) is stops


@pytest.mark.parametrize(("value", "stops"), [(299.0, False), (301.0, True)])
def test_a_series_of_fewer_than_eight_rows_is_held_to_the_bound_of_one(value: float, stops: bool) -> None:
    found = stepped([100.0] * 7, value)
    assert bool(found.suspicions) is stops
    assert not stops or "far outside 100 to 100" in found.reason


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (2.99, ""),
        (3.0, "users is 3 times the last good at the median; less than 3 is expected"),
        (1 / 3.0, "users is 0.3333 times"),
    ],
)
def test_a_quantity_is_in_another_unit_from_the_bound_of_its_factor_on(factor: float, words: str) -> None:
    assert measured([100.0] * 3, [100 * factor] * 3).reason.startswith(words)
    assert bool(measured([100.0] * 3, [100 * factor] * 3).suspicions) is bool(words)
    assert not measured([100.0] * 3, [100 * factor] * 3, days=3).suspicions


@pytest.mark.parametrize(("factor", "stops"), [(3.99, False), (4.0, True), (1 / 3.99, False), (1 / 4.0, True)])
def test_after_three_days_a_quantity_may_have_changed_by_a_wider_factor(factor: float, stops: bool) -> None:
    assert bool(measured([100.0] * 3, [100 * factor] * 3, days=3).suspicions) is stops


@pytest.mark.parametrize(
    ("days", "value", "stops"),
    [(1, 499.0, False), (1, 501.0, True), (1, 20.1, False), (1, 19.9, True), (3, 699.0, False), (3, 701.0, True)],
)
def test_one_row_of_a_quantity_may_change_less_than_its_own_bound(days: int, value: float, stops: bool) -> None:
    found = measured([100.0] * 3, [100.0, 100.0, value], days=days)
    assert bool(found.suspicions) is stops
    assert not stops or "users of 'm2' is" in found.suspicions[0]


@pytest.mark.parametrize(
    ("days", "value", "stops"),
    [(1, 999.0, False), (1, 1000.0, True), (1, 20.1, False), (1, 20.0, True), (3, 1399.0, False), (3, 1400.0, True)],
)
def test_a_new_row_of_a_quantity_lies_near_the_known_ones(days: int, value: float, stops: bool) -> None:
    found = measured([100.0, 200.0], [100.0, 200.0], [value], days=days)
    assert [text.startswith("users of the new 'new' is") for text in found.suspicions] == ([True] if stops else [])


@pytest.mark.parametrize(
    ("days", "n", "n_crossed", "change", "stops"),
    [(1, 20, 4, 1.06, False), (1, 20, 5, 1.06, True), (1, 20, 5, 1.04, False), (3, 20, 8, 1.06, False), (3, 20, 9, 1.06, True),
     (1, 3, 1, 1.06, False)],
)  # fmt: skip
def test_a_quantity_may_rise_in_some_rows_and_fall_in_as_many(
    days: int, n: int, n_crossed: int, change: float, stops: bool
) -> None:
    one, found = Measure(column="users", factor=bound(3), crossed=WIDENS), Finding()
    values = [100 * change] * n_crossed + [100 / change] * n_crossed + [100.0] * n
    pairs: list[tuple[Row, Row]] = [({"id": k, "users": 100.0}, {"id": k, "users": value}) for k, value in enumerate(values[:n])]
    check_measure(rule(), one, pairs, [], days, found)
    assert ("values of other rows" in found.reason) is bool(found.suspicions) is stops
    one_way: list[tuple[Row, Row]] = [(old, {**new, "users": 106.0}) for old, new in pairs]
    found = Finding()
    check_measure(rule(), one, one_way, [], days, found)
    assert not found.suspicions


def test_what_a_route_does_not_give_is_compared_within_the_route() -> None:
    def lost(was: list[str], now: list[str], column: str = "a") -> list[str]:
        found = Finding()
        pairs: list[tuple[Row, Row]] = [
            ({"route": old, "a": 1, "b": 1}, {"route": new, "a": None, "b": None}) for old, new in zip(was, now, strict=True)
        ]
        check_nulls(
            rule(nulls={"*": WIDENS}, route=Route(column="route", columns=("a",))),
            [column],
            [new for _, new in pairs],
            pairs,
            1,
            found,
        )
        return found.suspicions

    assert not lost(["old"] * 4, ["new"] * 4)
    assert lost(["old"] * 4, ["new"] * 4, "b") == ["b is missing now in 4 of 4 known rows that had it; at most 20% are expected"]
    assert lost(["old"] * 4, ["old"] * 4) == ["a is missing now in 4 of 4 known rows that had it; at most 20% are expected"]
    assert lost(["old"] * 4, ["old"] * 3 + ["new"]) == [
        "a is missing now in 3 of 3 known rows that had it; at most 20% are expected"
    ]


def nulled(n: int, lost: int, added: int = 0, was: int = 0, days: int = 1) -> Finding:
    found = Finding()
    pairs: list[tuple[Row, Row]] = [({"a": None if k < was else 1}, {"a": None if k < was + lost else 1}) for k in range(n)]
    now: list[Row] = [new for _, new in pairs] + [{"a": None}] * added
    check_nulls(rule(nulls={"*": WIDENS}), ["a"], now, pairs, days, found)
    return found


def test_values_may_be_lost_up_to_the_bound_and_one_of_several_on_any_list() -> None:
    assert not nulled(10, 2).suspicions
    assert nulled(10, 3).suspicions == ["a is missing now in 3 of 10 known rows that had it; at most 20% are expected"]
    assert not nulled(3, 1).suspicions
    assert nulled(1, 1).suspicions
    assert not nulled(3, 0, was=3).suspicions
    assert not nulled(10, 4, days=3).suspicions
    assert nulled(10, 5, days=3).suspicions


def test_the_share_of_missing_values_may_rise_by_the_bound_and_by_one_row() -> None:
    assert nulled(10, 0, added=3).suspicions == ["a is missing in 23% of rows, before in 0%; a rise of 20% at most is expected"]
    assert not nulled(8, 0, added=2).suspicions
    assert not nulled(2, 0, added=1).suspicions
    assert not nulled(100, 0, added=2).suspicions
    assert not nulled(6, 0, added=4, days=3).suspicions
    assert nulled(6, 0, added=5, days=3).suspicions


def test_a_share_lies_from_zero_to_one_and_a_flag_may_turn_by_its_bound() -> None:
    one, found = Measure(column="share", factor=bound(3), share=True), Finding()
    check_shares(one, [{"share": 0}, {"share": 1}, {"share": None}], found)
    assert not found.suspicions
    check_shares(one, [{"share": 1.01}, {"share": -0.01}], found)
    assert found.suspicions == ["share is a share and yet 1.01 in 2 rows: per cent, perhaps"]
    for days, n_true, stops in ((1, 5, False), (1, 6, True), (3, 7, False), (3, 8, True)):
        turned = Finding()
        now: list[Row] = [{"open": k < n_true} for k in range(10)]
        check_flag(Flag(column="open", jump=bound(0.3, per_day=0.1)), now, [{"open": k < 2} for k in range(10)], days, turned)
        assert bool(turned.suspicions) is stops, (days, n_true)


def test_of_the_rows_that_a_model_keeps_a_part_may_be_lost_and_a_share_must_stay() -> None:
    wanted = Match(column="kind", pattern="video", least=0.5, fall=0.2, reason="made for this test")

    def rows(n: int) -> list[Row]:
        return [{"kind": "Video" if k < n else "video games" if k < 9 else None} for k in range(10)]

    for before, now, stops in ((10, 8, False), (10, 7, True), (None, 5, False), (None, 4, True)):
        found = Finding()
        check_match(wanted, rows(now), None if before is None else rows(before), found)
        assert bool(found.suspicions) is stops, (before, now)


def test_a_describing_column_may_change_for_the_bound_or_for_one_row() -> None:
    for days, n, changed, stops in (
        (1, 10, 2, False), (1, 10, 3, True), (1, 3, 1, False), (1, 3, 2, True), (3, 10, 4, False), (3, 10, 5, True),
    ):  # fmt: skip
        found = Finding()
        pairs: list[tuple[Row, Row]] = [({"id": k, "name": k}, {"id": k, "name": -1 if k < changed else k}) for k in range(n)]
        check_steady(rule(), Steady(columns=("name",), changed=WIDENS), pairs, days, found)
        assert bool(found.suspicions) is stops, (days, n, changed)


@pytest.mark.parametrize(("most", "stops"), [(0.0, True), (0.01, False)])
def test_one_row_may_change_beside_any_bound_but_that_of_none(most: float, stops: bool) -> None:
    found = Finding()
    pairs: list[tuple[Row, Row]] = [({"id": n, "day": "2025"}, {"id": n, "day": "2024" if n == 0 else "2025"}) for n in range(9)]
    check_steady(rule(), Steady(columns=("day",), changed=bound(most)), pairs, 1, found)
    assert bool(found.suspicions) is stops


def test_a_date_may_lie_as_far_ahead_as_its_slack_whole_or_in_part() -> None:
    when = When(column="on", earliest="2015", slack_days=30, reason="made for this test")
    ahead = (DAY + timedelta(days=30)).isoformat()
    late = [ahead, (DAY + timedelta(days=31)).isoformat(), "2026-10", "2026-11", "2026", "2027", None]
    assert [row["on"] for row in late_rows(when, [{"on": one} for one in late], DAY)] == [late[1], "2026-11", "2027"]


@pytest.mark.parametrize(
    ("stated", "line"),
    [
        ("2026 Q2", None), ("2026 H1", None), ("2026-06", None), ("2026-06-30T23:00:00Z", None),
        ("2026 Q3", "on lies in the future of the capture (2026-09-08): '2026 Q3'"), ("2026 H2", "on lies in the future of the capture (2026-09-08): '2026 H2'"),
        *((text, f"on is no date as this source writes them: '{text}'") for text in ("2026Q1", "2026 Q5", "2026-6", "June 2026", "2026 ")),
    ],
)  # fmt: skip
def test_a_quarter_and_a_half_year_are_their_last_day_and_what_is_no_date_is_named_so(stated: str, line: str | None) -> None:
    found = Finding()
    when = When(column="on", earliest="2015", slack_days=0, reason="made for this test")
    check_dates(when, [{"on": stated}], DAY, found)
    assert found.suspicions == ([line] if line else [])


@pytest.mark.parametrize(
    ("stated", "stops"), [("2015-06-01", False), ("2015-05-31", True), ("2015-06", False), ("2015", False), ("2014", True)]
)
def test_a_date_may_lie_on_the_earliest_day_and_not_before_it(stated: str, stops: bool) -> None:
    found = Finding()
    check_dates(When(column="on", earliest="2015-06-01", reason="made for this test"), [{"on": stated}], DAY, found)
    assert found.suspicions == ([f"on is earlier than 2015-06-01: '{stated}'"] if stops else [])


def compared(
    old: list[str],
    new: list[str],
    names: dict[str, str] | None = None,
    /,
    days: int = 1,
    bounds: Rows | None = None,
    **others: Any,
) -> Finding:
    table: Any = type(
        "Table",
        (),
        {"anomaly_checks": rule(label="name", **others), "columns": {}, "rows": bounds or Rows(min=1), "grain": ("id",)},
    )()

    def rows(keys: list[str]) -> list[Row]:
        return [{"id": key, "name": (names or {}).get(key, key)} for key in keys]

    return compare(table, rows(new), rows(old), day=DAY, last_day=DAY - timedelta(days=days))


KNOWN = [f"k{n}" for n in range(10)]


@pytest.mark.parametrize(
    ("n", "line"),
    [
        (2, "a truncated list, by the look of it: 2 rows, expected 3 to 5; the last good vintage (2026-09-07) had 4"),
        (3, ""),
        (5, ""),
        (6, "6 rows, expected 3 to 5; the last good vintage (2026-09-07) had 4"),
    ],
)
def test_a_list_has_from_the_fewest_to_the_most_rows(n: int, line: str) -> None:
    found = compared(KNOWN[:4], KNOWN[:n], bounds=Rows(min=3, max=5), gone=bound(1), new=bound(1))
    assert found.suspicions == ([line] if line else [])


def test_a_list_without_rows_stops_unless_none_are_expected_and_there_never_were_any() -> None:
    assert compared(KNOWN, []).suspicions[0].startswith("an empty list with success: 0 rows, expected 1 or more; the last good")
    assert compared([], []).suspicions == ["an empty list with success: 0 rows, expected 1 or more"]
    assert compared(KNOWN, [], bounds=Rows(min=0)).suspicions
    assert not compared([], [], bounds=Rows(min=0)).suspicions


def test_keys_may_leave_up_to_the_bound_and_one_of_a_short_list() -> None:
    assert compared(KNOWN, KNOWN[:8]).notes == ["removed: 'k8', 'k9'"]
    assert compared(KNOWN, KNOWN[:7]).suspicions == [
        "a truncated list: 7 rows, expected 8 to 12; 3 of the 10 known on 2026-09-07 are missing ('k7', 'k8', 'k9')"
    ]
    assert not compared(KNOWN[:3], KNOWN[:2]).suspicions
    assert compared(KNOWN, [*KNOWN[:7], "n1"]).suspicions[0].startswith("another list: 8 rows")
    assert compared(KNOWN[:3], KNOWN[:2], gone=bound(0)).suspicions
    assert compared(KNOWN, KNOWN[:6], days=3, gone=WIDENS).notes == ["removed: 'k6', 'k7', 'k8' and 1 more"]
    assert (
        compared(KNOWN, KNOWN[:5], days=3, gone=WIDENS, new=WIDENS)
        .suspicions[0]
        .startswith("a truncated list: 5 rows, expected 6 to 14; 5 of the 10 known on 2026-09-05")
    )


@pytest.mark.parametrize(("n_new", "words"), [(1, "a truncated list: 15 rows"), (2, "another list: 16 rows")])
def test_a_list_that_lost_rows_is_truncated_while_at_most_a_twentieth_of_it_is_new(n_new: int, words: str) -> None:
    known = [f"m{n}" for n in range(20)]
    (line,) = compared(known, [*known[:14], *(f"n{n}" for n in range(n_new))]).suspicions
    assert line.startswith(words)


def test_keys_may_come_up_to_the_bound_and_two_on_a_short_list() -> None:
    assert compared(KNOWN, [*KNOWN, "n1", "n2"]).notes == ["new: 'n1', 'n2'"]
    assert not compared(KNOWN[:3], [*KNOWN[:3], "n1", "n2"]).suspicions
    assert compared(KNOWN, [*KNOWN, "n1", "n2", "n3"]).suspicions == [
        "3 unknown keys beside 10 known; at most 20% are expected ('n1', 'n2', 'n3')"
    ]
    assert not compared(KNOWN * 2, [*KNOWN, "n1", "n2"]).suspicions
    many = [f"m{n}" for n in range(15)]
    assert not compared(many, [*many, "n1", "n2", "n3"]).suspicions
    four = ["n1", "n2", "n3", "n4"]
    assert compared(KNOWN, [*KNOWN, *four], days=3, new=WIDENS).notes == ["new: 'n1', 'n2', 'n3' and 1 more"]
    assert compared(KNOWN, [*KNOWN, *four, "n5"], days=3, new=WIDENS).suspicions == [
        "5 unknown keys beside 10 known; at most 40% are expected ('n1', 'n2', 'n3' and 2 more)"
    ]


def test_one_name_under_another_key_is_a_proposal_and_many_are_keys_issued_again() -> None:
    one = compared(KNOWN, [*KNOWN[:9], "x"], {"x": "k9"})
    assert one.notes == ["another key under the same name, a proposal for identity: 'k9'"]
    three = compared(KNOWN, [*KNOWN[:7], "x", "y", "z"], {"x": "k7", "y": "k8", "z": "k9"})
    assert "the keys were issued again: 3 of the 10 known on 2026-09-07" in three.suspicions[0]
    assert compared(KNOWN, KNOWN).reason == ""
    assert not compared(KNOWN, [*KNOWN[:8], "x", "y"], {"x": "k8", "y": "k9"}).suspicions
    assert compared(KNOWN[:9], [*KNOWN[:7], "x", "y"], {"x": "k7", "y": "k8"}).suspicions
    assert not compared(KNOWN[:3], [*KNOWN[:2], "x"], {"x": "k2"}).suspicions
    given = {f"x{n}": key for n, key in enumerate(KNOWN)}
    for n_other, stops in ((4, False), (5, True)):
        found = compared(KNOWN, [*list(given)[:n_other], *KNOWN[n_other:]], given, days=3, gone=WIDENS)
        assert bool(found.suspicions) is stops


def test_two_names_on_keys_of_others_put_names_and_keys_out_of_step_and_one_does_not() -> None:
    table: Any = type("Table", (), {"anomaly_checks": rule(label="name"), "columns": {}, "rows": Rows(), "grain": ("id",)})()

    def named(*names: str) -> list[Row]:
        return [{"id": str(n), "name": name} for n, name in enumerate(names)]

    def found(*names: str) -> list[str]:
        return compare(table, named(*names), named("a", "b", "c", "d"), day=DAY, last_day=DAY - timedelta(days=1)).suspicions

    assert found("b", "b", "c", "d") == []
    assert found("x", "y", "z", "d") == []
    assert found("b", "a", "c", "d") == [
        "2 names are now on other keys than on 2026-09-07 ('b', 'a'): names and keys are out of step"
    ]


def best(*names: str, board: str = "a", ranks: Any = None, top: float = 1500.0) -> list[Row]:
    given = ranks or range(1, len(names) + 1)
    return [
        {"board": board, "id": name, "label": name.rstrip("'"), "rank": rank, "rating": top - 9 * n, "votes": None}
        for n, (name, rank) in enumerate(zip(names, given, strict=True))
    ]


def left(old: list[Row], new: list[Row], days: int = 1) -> Finding:
    leaders = Leaders(places=2, days=3, reason="made for this test")
    made = rule(
        key=("board", "id"), label="label", gone=bound(1), new=bound(1), score=score(rank="rank", votes=None, leaders=leaders)
    )
    table: Any = type("Table", (), {"anomaly_checks": made, "columns": {}, "rows": Rows(), "grain": ("board", "id")})()
    found = compare(table, new, old, day=DAY, last_day=DAY - timedelta(days=days))
    found.suspicions = [text for text in found.suspicions if "rank begins at" not in text]  # the first rank has its own test
    return found


LEFT = "'{}', which had place {} of 4, is not listed with its rating; none of the best {} is expected to leave"


@pytest.mark.parametrize(
    ("gone", "days", "line"),
    [
        ("a", 1, LEFT.format("a", 1, 2)), ("b", 1, LEFT.format("b", 2, 2)), ("c", 1, None), ("b", 3, LEFT.format("b", 2, 2)),
        ("b", 4, None), ("a", 4, LEFT.format("a", 1, 1)), ("a", 400, LEFT.format("a", 1, 1)),
    ],
)  # fmt: skip
def test_none_of_the_best_may_leave_within_their_days_and_the_first_never(gone: str, days: int, line: str | None) -> None:
    found = left(best(*"abcd"), [row for row in best(*"abcd") if row["id"] != gone], days)
    assert found.suspicions == ([line] if line else [])


def test_none_of_the_best_may_lose_its_rank_on_a_route_that_has_ranks() -> None:
    known = best(*"abcd")
    for place, name in enumerate("ab"):
        (line,) = left(known, best(*"abcd", ranks=[None if n == place else n + 1 for n in range(4)])).suspicions
        assert (
            line
            == f"'{name}', which had place {place + 1} of 4, is listed without its rank; none of the best 2 is expected to lose it"
        )
    assert not left(known, best(*"abcd", ranks=[1, 2, None, 4])).suspicions
    assert not left(known, best(*"abcd", ranks=[None] * 4)).suspicions
    assert not left(best(*"abcd", ranks=[None] * 4), best(*"abcd", ranks=[None, 2, 3, 4])).suspicions
    retired = best(*"abcd", ranks=[None, 1, 2, 3])
    assert not left(retired, retired[1:]).suspicions
    assert left(retired, [*retired[:2], retired[3]]).suspicions[0].startswith("'c', which had place 2 of 3,")


def test_the_best_are_those_of_each_board_that_is_listed_still() -> None:
    known = [*best(*"abcd"), *best(*"efgh", board="b")]
    assert [line[:3] for line in left(known, [row for row in known if row["id"] not in "ae"]).suspicions] == ["'a'", "'e'"]
    assert not left(known, best(*"abcd")).suspicions


def test_one_of_the_best_under_another_key_is_listed_and_another_rating_for_it_is_a_revision() -> None:
    known = best(*"abcd")
    for lower, text in ((10, []), (11, ["'a', which had place 1 of 4, has another key and the rating 1489, before 1500"])):
        new = [{**known[0], "id": "a'", "rating": 1500.0 - lower}, *known[1:]]
        found = left(known, new)
        assert not found.suspicions
        assert found.revisions == text
    unrated = [{**row, "rank": None} for row in known]
    assert left(unrated, [{**unrated[0], "id": "a'", "rating": None}, *unrated[1:]]).suspicions == [LEFT.format("a", 1, 2)]


@pytest.mark.parametrize(
    ("n", "empty", "stops"), [(100, 3, False), (100, 4, True), (10, 1, False), (10, 2, True), (1, 1, False), (2, 2, True)]
)
def test_a_vintage_has_the_share_of_values_that_is_expected_and_one_row_may_have_none(n: int, empty: int, stops: bool) -> None:
    rows: list[Row] = [{"id": f"m{k}", "day": None if k < empty else "2026"} for k in range(n)]
    filled = Filled(columns=("id", "day"), least=0.97, reason="made for this test")
    table: Any = type("Table", (), {"anomaly_checks": rule(filled=(filled,)), "columns": {}, "rows": Rows(), "grain": ("id",)})()
    found = compare(table, rows, None, day=DAY, last_day=None)
    assert found.suspicions == ([f"day has a value in {n - empty} of {n} rows; 97% or more is expected"] if stops else [])


def test_rows_of_a_route_that_never_gives_a_value_are_left_out_of_its_share() -> None:
    filled = Filled(columns=("day",), least=0.97, not_from=("new",), reason="made for this test")
    made = rule(filled=(filled,), route=Route(column="route", columns=("day",)))
    for route, n_found in (("new", 0), ("old", 1)):
        found = Finding()
        check_filled(made, filled, [{"day": None, "route": route}, {"day": None, "route": route}], found)
        assert len(found.suspicions) == n_found


def quotients(values: dict[str, tuple[float | None, float]], known: int | None, most: float = 1.5) -> list[str]:
    quotient = Quotient(over="removed", under="rate", along="period", most=most, reason="made for this test")
    measure = Measure(column="value", by="metric", factor=bound(9), quotient=quotient)
    rows: list[Row] = [
        {"id": f"{metric} {period}", "metric": metric, "period": period, "value": value}
        for period, pair in values.items()
        for metric, value in zip(("removed", "rate"), pair, strict=True)
    ]
    found = Finding()
    check_quotient(rule(), measure, rows, rows[: 2 * known] if known is not None else None, found)
    return found.suspicions


@pytest.mark.parametrize(("rate", "stops"), [(5.0, False), (4.0, False), (3.9, True), (9.0, False), (9.1, True)])
def test_a_new_quotient_is_within_its_bound_of_the_one_beside_it_up_and_down(rate: float, stops: bool) -> None:
    found = quotients({"2025 Q1": (60, 6), "2025 Q2": (60, 6), "2025 Q3": (60, rate)}, 2)
    assert bool(found) is stops
    for line in found:
        assert line == (
            f"value of 'removed' over 'rate' is {6 / rate:.4g} times in 2025 Q3 what it is in 2025 Q2; "
            "1.5 times at most, or that part of it, is expected: one of the two is wrong"
        )


def test_both_series_may_move_alike_and_what_was_known_is_not_checked_again() -> None:
    assert quotients({"2025 Q1": (60, 6), "2025 Q2": (180, 18)}, 1) == []
    broken: dict[str, tuple[float | None, float]] = {"2025 Q1": (60, 6), "2025 Q2": (180, 6), "2025 Q3": (180, 6)}
    assert quotients(broken, 2) == []
    assert len(quotients(broken, None)) == len(quotients(broken, 1)) == 1


def test_a_quotient_is_of_periods_of_one_kind_that_have_both_values() -> None:
    assert quotients({"2025 H1": (360, 6), "2025 Q1": (60, 6)}, None) == []
    assert quotients({"2025 Q1": (60, 6), "2025 Q2": (None, 6), "2025 Q3": (60, 6)}, None) == []


def test_a_new_value_that_is_a_known_one_is_a_copy_where_no_known_ones_are_equal() -> None:
    known = [100.0, 103, 106, 109, 101, 104, 107, 110]
    (line,) = stepped(known, 110).suspicions
    assert (
        line
        == "users of the new 'm08' is that of 'm07' to the last digit, and of the 8 known rows no two are equal: a copy, perhaps"
    )
    assert not stepped(known, 111).suspicions
    (line,) = stepped(known, 109).suspicions
    assert line.startswith("users of the new 'm08' is that of 'm03' to the last digit")
    assert not stepped([100.0, *known[:-2], 110], 110, power=9).suspicions


UNITS = {
    7: "weeks against days", 10: "a lost or added zero", 12: "months against years", 24: "hours against days",
    60: "minutes against hours, or seconds against minutes", 100: "per cent against a share", 365.25: "days against years",
    1000: "thousands against units", 1024: "binary thousands", 3600: "seconds against hours",
    10_000: "units of ten thousand (万)", 1_000_000: "millions against units", 100_000_000: "units of a hundred million (亿)",
    1_000_000_000: "billions against units",
}  # fmt: skip


def test_every_unit_that_a_factor_looks_like_is_named_multiplied_and_divided() -> None:
    assert LIKELY == UNITS
    for factor, words in UNITS.items():
        if factor == 1024:  # within a twelfth of a thousand, which comes first
            continue
        assert likely_unit(factor) == f"as if it were {words}, multiplied"
        assert likely_unit(1.05 / factor) == f"as if it were {words}, divided"
    assert likely_unit(1.5) == likely_unit(1000 / 1.081) == ""
    assert likely_unit(1000 / 1.079) == likely_unit(1000)
    assert likely_unit(1100) == "as if it were binary thousands, multiplied"


def test_of_many_names_three_are_shown_and_the_others_counted() -> None:
    assert some(["a", "b", "c"]) == "'a', 'b', 'c'"
    assert some(["a", "b", "c", "d"]) == "'a', 'b', 'c' and 1 more"


def test_a_bound_widens_for_each_day_after_the_first_up_to_its_ceiling() -> None:
    assert [bound(1, per_day=0.5).after(days) for days in (0, 1, 2, 5)] == [1, 1, 1.5, 3]
    assert bound(1, per_day=0.5, ceiling=2).after(5) == 2


def landing(day: date, status: Status, core: str = "a", hour: int = 6) -> Landing:
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return Landing(
        f"aa_api/text_to_video/{day}/{hour}", "aa_api", "text_to_video", day, moment, status, status.is_accepted, f"why of {day}",
        1, 1, "s", "u", core_sha256=core,
    )  # fmt: skip


OK, SAME, SUSPICIOUS, ERROR = Status.OK, Status.UNCHANGED, Status.SUSPICIOUS, Status.ERROR


@pytest.mark.parametrize(
    ("every", "cadence"), [("hourly", 1), ("daily", 1), ("weekly", 7), ("monthly", 31), ("quarterly", 92), ("half-yearly", 184)]
)
def test_a_source_is_silent_beyond_twice_its_cadence_and_stale_at_four_times(
    monkeypatch: pytest.MonkeyPatch, checkout: Path, every: str, cadence: int
) -> None:
    source = find_source(checkout, "aa_api")
    source = source.model_copy(update={"fetch": source.fetch.model_copy(update={"every": every})})

    def state(*landings: Landing, on: int = 0) -> tuple[str, date | None, date | None]:
        monkeypatch.setattr(source_state, "read_landings", lambda *_: list(landings))
        found = source_state.states(Settings(checkout, checkout), [source], DAY + timedelta(days=on))[0]
        return str(found.state), found.since, found.served_on

    def later(days: int) -> date:
        return DAY + timedelta(days=days)

    one = landing(DAY, OK)
    assert state() == ("never", None, None)
    assert state(one) == ("fresh", DAY, DAY)
    assert state(one, on=2 * cadence) == ("fresh", DAY, DAY)
    assert state(one, on=2 * cadence + 1) == ("silent", DAY, DAY)
    assert state(one, on=-1) == ("clock suspicious", DAY, DAY)
    for days, name in ((4 * cadence - 1, "unchanged"), (4 * cadence, "stale")):
        assert state(one, landing(later(days), SAME), on=days) == (name, DAY, later(days))
        other = landing(later(-1), OK, "b")
        assert state(other, one, landing(later(days), SAME), on=days) == (name, DAY, later(days))
    for status, name in ((SUSPICIOUS, "quarantined"), (ERROR, "failing")):
        assert state(landing(DAY, status)) == (name, DAY, None)
        bad = [landing(later(days), status) for days in (1, 2)]
        assert state(one, *bad, on=2) == (name, later(1), DAY)
        assert state(*bad, landing(later(3), OK), on=3) == ("fresh", later(3), later(3))
    assert state(one, landing(DAY, ERROR, hour=7)) == ("failing", DAY, DAY)
    quiet = source.model_copy(update={"fetch": source.fetch.model_copy(update={"protocol": "inbox"})})
    monkeypatch.setattr(source_state, "read_landings", lambda *_: [one])
    (found, *_) = source_state.states(Settings(checkout, checkout), [quiet], DAY + timedelta(days=999))
    assert found == source_state.RequestState(
        "aa_api", "text_to_video", State.FRESH, DAY, DAY, f"why of {DAY}", f"aa_api/text_to_video/{DAY}/6"
    )


@pytest.mark.parametrize(
    ("days", "limit", "with_ceiling"), [(-1, 1.0, 1.0), (0, 1.0, 1.0), (1, 1.0, 1.0), (2, 1.5, 1.5), (5, 3.0, 2.0)]
)
def test_a_limit_widens_from_the_second_day_on_up_to_its_ceiling(days: int, limit: float, with_ceiling: float) -> None:
    assert bound(1.0, per_day=0.5).after(days) == limit
    assert bound(1.0, per_day=0.5, ceiling=2.0).after(days) == with_ceiling
