"""Every bound of the anomaly checks holds at its value and is passed just beyond it."""

from datetime import date, timedelta
from typing import Any

import pytest

from datamoat.ingest.anomaly_checks import compare
from datamoat.ingest.check_scores import check_score
from datamoat.ingest.check_values import (
    check_flag,
    check_match,
    check_measure,
    check_nulls,
    check_shares,
    check_steady,
    late_rows,
)
from datamoat.ingest.finding import LIKELY, Finding, likely_unit, some
from datamoat.parsing import Row
from datamoat.project.check_models import AnomalyChecks, Bound, Flag, Match, Measure, Score, Steady, When
from datamoat.project.sources import Rows

DAY = date(2026, 9, 8)


def bound(most: float, **others: Any) -> Bound:
    return Bound(max=most, reason="made for this test", **others)


def rule(**others: Any) -> AnomalyChecks:
    return AnomalyChecks(
        **{"key": ("id",), "gone": bound(0.2), "new": bound(0.2), "nulls": {"*": bound(0.2)}, "label": "id", **others}
    )


def score(**others: Any) -> Score:
    return Score(**{"column": "rating", "votes": "votes", "shift": bound(15), "stretch": bound(1.5), "move": bound(10), **others})


def rated(*ratings: float | None, votes: list[int] | None = None) -> list[Row]:
    return [{"id": f"m{n}", "rating": rating, "votes": (votes or [100] * len(ratings))[n]} for n, rating in enumerate(ratings)]


def scored(old: list[Row], new: list[Row], fresh: list[Row] | None = None, **others: Any) -> Finding:
    found = Finding()
    check_score(rule(), score(**others), list(zip(old, new, strict=True)), fresh or [], 1, found)
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


@pytest.mark.parametrize(("moved", "stops"), [(10.0, False), (10.5, True)])
def test_one_entry_may_move_by_the_bound_against_the_others(moved: float, stops: bool) -> None:
    found = scored(rated(*BOARD), rated(*BOARD[:-1], BOARD[-1] + moved))
    assert bool(found.suspicions) is stops


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


@pytest.mark.parametrize(("shift", "is_another"), [(15.0, False), (15.5, True), (-15.5, True)])
def test_a_board_that_moves_by_more_than_its_bound_is_on_another_scale(shift: float, is_another: bool) -> None:
    found = scored(rated(*BOARD), rated(*(rating + shift for rating in BOARD)))
    assert not found.suspicions
    assert any("re-anchored: 10 shared entries" in text for text in found.revisions) is is_another


def test_ratings_that_are_missing_now_stop_beyond_the_share_that_may_leave() -> None:
    two, three = rated(*BOARD[:8], None, None), rated(*BOARD[:7], None, None, None)
    assert "rating is missing now for 'm8', 'm9'" in scored(rated(*BOARD), two).notes[0]
    assert not scored(rated(*BOARD), two).suspicions
    assert "rating is missing for 3 of 10 entries that had one" in scored(rated(*BOARD), three).reason


def test_a_new_entry_may_be_five_moves_or_three_spreads_beyond_the_others() -> None:
    near = scored(rated(*BOARD), rated(*BOARD), rated(1090.0 + 120))
    far = scored(rated(*BOARD), rated(*BOARD), rated(1090.0 + 1200))
    assert not near.suspicions
    assert "of the new 'm0' is 2290, far outside 1000 to 1090" in far.reason


@pytest.mark.parametrize(
    ("factors", "stops"),
    [
        ([3.0] * 5, True), ([2.9] * 5, False), ([3.0] * 4, False), ([3.0, 3.5, 4.0, 4.5, 5.0], False), ([31.0, 40.0, 50.0], True),
        ([31.0, 40.0], False), ([0.33] * 3, True), ([0.34] * 3, False),
    ],
)  # fmt: skip
def test_votes_in_one_proportion_are_another_unit_from_a_factor_of_three_and_five_entries(
    factors: list[float],
    stops: bool,
) -> None:
    n = len(factors)
    old, new = rated(*BOARD[:n], votes=[10_000] * n), rated(*BOARD[:n], votes=[round(10_000 * f) for f in factors])
    assert ("times the last good at the median" in scored(old, new).reason) is stops


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


def measured(old: list[float | None], new: list[float | None], fresh: list[float] | None = None, **others: Any) -> Finding:
    found = Finding()
    pairs: list[tuple[Row, Row]] = [
        ({"id": f"m{n}", "users": a}, {"id": f"m{n}", "users": b}) for n, (a, b) in enumerate(zip(old, new, strict=True))
    ]
    one = Measure(column="users", factor=bound(3), one=bound(5), **others)
    check_measure(rule(), one, pairs, [{"id": "new", "users": value} for value in fresh or []], 1, found)
    return found


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


@pytest.mark.parametrize(("value", "stops"), [(499.0, False), (501.0, True), (20.1, False), (19.9, True)])
def test_one_row_of_a_quantity_may_change_less_than_its_own_bound(value: float, stops: bool) -> None:
    found = measured([100.0] * 3, [100.0, 100.0, value])
    assert bool(found.suspicions) is stops
    assert not stops or "users of 'm2' is" in found.suspicions[0]


@pytest.mark.parametrize(("value", "stops"), [(999.0, False), (1000.0, True), (20.1, False), (20.0, True)])
def test_a_new_row_of_a_quantity_lies_near_the_known_ones(value: float, stops: bool) -> None:
    found = measured([100.0, 200.0], [100.0, 200.0], [value])
    assert [text.startswith("users of the new 'new' is") for text in found.suspicions] == ([True] if stops else [])


def nulled(n: int, lost: int, added: int = 0, was: int = 0) -> Finding:
    found = Finding()
    pairs: list[tuple[Row, Row]] = [({"a": None if k < was else 1}, {"a": None if k < was + lost else 1}) for k in range(n)]
    now: list[Row] = [new for _, new in pairs] + [{"a": None}] * added
    check_nulls(rule(), ["a"], now, pairs, 1, found)
    return found


def test_values_may_be_lost_up_to_the_bound_and_one_of_several_on_any_list() -> None:
    assert not nulled(10, 2).suspicions
    assert nulled(10, 3).suspicions == ["a is missing now in 3 of 10 known rows that had it; at most 20% are expected"]
    assert not nulled(3, 1).suspicions
    assert nulled(1, 1).suspicions
    assert not nulled(3, 0, was=3).suspicions


def test_the_share_of_missing_values_may_rise_by_the_bound_and_by_one_row() -> None:
    assert nulled(10, 0, added=3).suspicions == ["a is missing in 23% of rows, before in 0%; a rise of 20% at most is expected"]
    assert not nulled(8, 0, added=2).suspicions
    assert not nulled(2, 0, added=1).suspicions
    assert not nulled(100, 0, added=2).suspicions


def test_a_share_lies_from_nought_to_one_and_a_flag_may_turn_by_its_bound() -> None:
    one, found = Measure(column="share", factor=bound(3), share=True), Finding()
    check_shares(one, [{"share": 0}, {"share": 1}, {"share": None}], found)
    assert not found.suspicions
    check_shares(one, [{"share": 1.01}, {"share": -0.01}], found)
    assert found.suspicions == ["share is a share and yet 1.01 in 2 rows: per cent, perhaps"]
    for n_true, stops in ((5, False), (6, True)):
        turned = Finding()
        now: list[Row] = [{"open": k < n_true} for k in range(10)]
        check_flag(Flag(column="open", jump=bound(0.3)), now, [{"open": k < 2} for k in range(10)], 1, turned)
        assert bool(turned.suspicions) is stops


def test_of_the_rows_that_a_model_keeps_a_part_may_be_lost_and_a_share_must_stay() -> None:
    wanted = Match(column="kind", pattern="video", least=0.5, fall=0.2, reason="made for this test")

    def rows(n: int) -> list[Row]:
        return [{"kind": "Video" if k < n else "video games" if k < 9 else None} for k in range(10)]

    for before, now, stops in ((10, 8, False), (10, 7, True), (None, 5, False), (None, 4, True)):
        found = Finding()
        check_match(wanted, rows(now), None if before is None else rows(before), found)
        assert bool(found.suspicions) is stops, (before, now)


def test_a_describing_column_may_change_for_the_bound_or_for_one_row() -> None:
    for n, changed, stops in ((10, 2, False), (10, 3, True), (3, 1, False), (3, 2, True)):
        found = Finding()
        pairs: list[tuple[Row, Row]] = [({"id": k, "name": k}, {"id": k, "name": -1 if k < changed else k}) for k in range(n)]
        check_steady(rule(), Steady(columns=("name",), changed=bound(0.2)), pairs, 1, found)
        assert bool(found.suspicions) is stops, (n, changed)


def test_a_date_may_lie_as_far_ahead_as_its_slack_whole_or_in_part() -> None:
    when = When(column="on", earliest="2015", slack_days=30, reason="made for this test")
    ahead = (DAY + timedelta(days=30)).isoformat()
    late = [ahead, (DAY + timedelta(days=31)).isoformat(), "2026-10", "2026-11", "2026", "2027", None]
    assert [row["on"] for row in late_rows(when, [{"on": one} for one in late], DAY)] == [late[1], "2026-11", "2027"]


def compared(old: list[str], new: list[str], names: dict[str, str] | None = None, **others: Any) -> Finding:
    table: Any = type(
        "Table", (), {"anomaly_checks": rule(label="name", **others), "columns": {}, "rows": Rows(min=1), "grain": ("id",)}
    )()

    def rows(keys: list[str]) -> list[Row]:
        return [{"id": key, "name": (names or {}).get(key, key)} for key in keys]

    return compare(table, rows(new), rows(old), day=DAY, last_day=DAY - timedelta(days=1))


KNOWN = [f"k{n}" for n in range(10)]


def test_keys_may_leave_up_to_the_bound_and_one_of_a_short_list() -> None:
    assert compared(KNOWN, KNOWN[:8]).notes == ["removed: 'k8', 'k9'"]
    assert compared(KNOWN, KNOWN[:7]).suspicions == [
        "a truncated list: 7 rows, expected 8 to 12; 3 of the 10 known on 2026-09-07 are missing ('k7', 'k8', 'k9')"
    ]
    assert not compared(KNOWN[:3], KNOWN[:2]).suspicions
    assert compared(KNOWN, [*KNOWN[:7], "n1"]).suspicions[0].startswith("another list: 8 rows")


def test_keys_may_come_up_to_the_bound_and_two_on_a_short_list() -> None:
    assert compared(KNOWN, [*KNOWN, "n1", "n2"]).notes == ["new: 'n1', 'n2'"]
    assert not compared(KNOWN[:3], [*KNOWN[:3], "n1", "n2"]).suspicions
    assert compared(KNOWN, [*KNOWN, "n1", "n2", "n3"]).suspicions == [
        "3 unknown keys beside 10 known; at most 20% are expected ('n1', 'n2', 'n3')"
    ]
    assert not compared(KNOWN * 2, [*KNOWN, "n1", "n2"]).suspicions
    many = [f"m{n}" for n in range(15)]
    assert not compared(many, [*many, "n1", "n2", "n3"]).suspicions


def test_one_name_under_another_key_is_a_proposal_and_many_are_keys_issued_again() -> None:
    one = compared(KNOWN, [*KNOWN[:9], "x"], {"x": "k9"})
    assert one.notes == ["another key under the same name, a proposal for identity: 'k9'"]
    three = compared(KNOWN, [*KNOWN[:7], "x", "y", "z"], {"x": "k7", "y": "k8", "z": "k9"})
    assert "the keys were issued again: 3 of the 10 known on 2026-09-07" in three.suspicions[0]
    assert compared(KNOWN, KNOWN).reason == ""


def test_every_unit_that_a_factor_looks_like_is_named_multiplied_and_divided() -> None:
    for factor, words in LIKELY.items():
        if factor == 1024:  # within a twelfth of a thousand, which comes first
            continue
        assert likely_unit(factor) == f"as if it were {words}, multiplied"
        assert likely_unit(1.05 / factor) == f"as if it were {words}, divided"
    assert likely_unit(1.5) == likely_unit(1000 / 1.081) == ""
    assert likely_unit(1100) == "as if it were binary thousands, multiplied"


def test_of_many_names_three_are_shown_and_the_others_counted() -> None:
    assert some(["a", "b", "c"]) == "'a', 'b', 'c'"
    assert some(["a", "b", "c", "d"]) == "'a', 'b', 'c' and 1 more"


def test_a_bound_widens_for_each_day_after_the_first_up_to_its_ceiling() -> None:
    assert [bound(1, per_day=0.5).after(days) for days in (0, 1, 2, 5)] == [1, 1, 1.5, 3]
    assert bound(1, per_day=0.5, ceiling=2).after(5) == 2
