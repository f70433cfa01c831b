"""Two real responses of following days, the later one changed: what moves an answer on a board is held back."""

import copy
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from datamoat.ingest.landings import Landing
from datamoat.project.sources import Source, read_source, read_sources
from datamoat.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
Entries = list[dict[str, Any]]
Change = Callable[[Entries], object]
MISSING = (None, -1, float("nan"), "N/A")


def put(column: str, value: Any, first: int, last: int | None = None) -> Change:
    """Return a change of one column for some entries of the board, best first."""
    return lambda entries: [entry.update({column: value}) for entry in entries[first:last]]


def each(column: str, change: Callable[[Any], Any], n: int | None = None) -> Change:
    """Return a change of one column by what it holds."""
    return lambda entries: [entry.update({column: change(entry[column])}) for entry in entries[:n]]


def onward(column: str) -> Change:
    """Return a change that gives each entry the value of the next."""

    def change(entries: Entries) -> None:
        values = [entry[column] for entry in entries]
        for entry, value in zip(entries, [*values[1:], values[0]], strict=True):
            entry[column] = value

    return change


def reversed_ranks(entries: Entries) -> None:
    for entry, rank in zip(entries, [entry["rank"] for entry in reversed(entries)], strict=True):
        entry["rank"] = rank


def halved(interval: str) -> str:
    low, high = interval.split("/")
    return f"{int(low) / 2}/{int(high) / 2}"


def year_back(month: str) -> str:
    return f"{int(month[:4]) - 1}{month[4:]}"


def drop(place: int) -> Change:
    """Return a change that takes the entry at one place off the board."""
    return lambda entries: entries.pop(place - 1)


def other_maker(entries: Entries) -> None:
    for entry in entries[:20]:
        entry["model_creator"]["id"] = "another"


API = {
    "ratings of the best eight": (put("elo", None, 0, 8), "elo is missing now for 8 of 87"),
    "rating of the last": (put("elo", None, -1), "elo is missing now for 1 of 87"),
    "dates a year back": (each("release_date", year_back), "release_date is another for 87 of 87"),
    "dates all equal": (put("release_date", "2026-01", 0), "release_date is another for"),
    "dates of the next entry": (onward("release_date"), "release_date is another for"),
    "dates of three": (each("release_date", year_back, 3), "release_date is another for 3 of 87"),
    "dates written otherwise": (each("release_date", lambda m: f"{m[5:]}/{m[:4]}"), "release_date is missing now in 87 of 87"),
    "dates of three are gone": (put("release_date", None, 0, 3), "release_date is missing now in 3 of 87"),
    "the key of the dates is gone": (
        lambda entries: [e.pop("release_date") for e in entries],
        "release_date is missing now in 87",
    ),
    "votes are gone": (put("appearances", None, 0), "appearances is missing now in 87 of 87"),
    "votes are halved": (each("appearances", lambda votes: votes // 2), "appearances is 0.504 times the last good at the median"),
    "votes of the next entry": (onward("appearances"), "counts of other entries"),
    "intervals are halved": (each("ci95", halved), "interval_down is 0.5 times the last good at the median"),
    "intervals of the next entry": (onward("ci95"), "and fell in as many: values of other rows"),
    "slugs of the next entry": (onward("slug"), "slug is another for 87 of 87"),
    "ids of makers": (other_maker, "creator_id is another for 20 of 87"),
    "ranks are reversed": (reversed_ranks, "rank contradicts elo in"),
    "ranks of the best eight are reversed": (lambda entries: reversed_ranks(entries[:8]), "rank contradicts elo in 7 places"),
    **{
        f"the entry at place {place} is dropped": (drop(place), f"which had place {place} of 87, is not listed with its elo")
        for place in (1, 2, 3)
    },
    **{
        f"the entry at place {place} has no rank": (
            put("rank", None, place - 1, place),
            f"which had place {place} of 87, is listed without",
        )
        for place in (1, 2, 3)
    },
    "the last eight are cut off": (lambda entries: entries.__delitem__(slice(-8, None)), "8 of the 87 known on"),
}
ARENA = {
    "ratings of the best eight": (put("score", None, 0, 8), "score is missing now for 8 of 42"),
    "votes are halved": (each("votes", lambda votes: votes // 2), "votes is 0.5 times the last good at the median"),
    "votes of the next entry": (onward("votes"), "counts of other entries"),
    "intervals are halved": (
        lambda entries: [e.update(ci_low=e["ci_low"] / 2, ci_high=e["ci_high"] / 2) for e in entries],
        "interval_down is 0.5 times the last good at the median",
    ),
    "lower ends of the next entry": (onward("ci_low"), "interval_down rose in"),
    "makers are gone": (put("vendor", None, 0), "vendor is missing now in"),
    "states are gone": (put("preliminary", None, 0), "preliminary is missing now in 42 of 42"),
    "ranks are reversed": (reversed_ranks, "rank contradicts score in"),
    "the leader is dropped": (drop(1), "which had place 1 of 42, is not listed with its score"),
    "the leader has no rank": (put("rank", None, 0, 1), "which had place 1 of 42, is listed without its rank"),
    "the last four are cut off": (lambda entries: entries.__delitem__(slice(-4, None)), "4 of the 42 known on"),
}
BOARDS = {
    "aa_api": ("artificial_analysis/api_v2_data_media/2026-07-{}/text-to-video.json", 22, "data", API),
    "arena_web": ("arena_ai/web_leaderboard/2026-07-{}/text-to-video.json", 23, "models", ARENA),
}


@pytest.fixture
def fed(captures: Path, place: Settings, source: Callable[[str], Source], bench_of: Any) -> Callable[[str, Change], Landing]:
    """Return a function that feeds a source two responses of following vintages, the second changed."""

    def feed(name: str, change: Change) -> Landing:
        pattern, day, key, _ = BOARDS[name]
        bench = bench_of(place, source(name), date(2026, 7, 21))
        first, second = (json.loads((captures / pattern.format(one)).read_bytes()) for one in (21, day))
        assert bench.feed(first).validation_status in {"ok", "revision"}
        entries = second[key]
        assert [entry["rank"] for entry in entries] == sorted(entry["rank"] for entry in entries)
        change(entries)
        if "meta" in second:
            second["meta"]["model_count"] = len(entries)
        landing: Landing = bench.feed(second)
        return landing

    return feed


@pytest.mark.parametrize("name", BOARDS)
def test_the_later_of_two_real_responses_is_served(fed: Callable[[str, Change], Landing], name: str) -> None:
    assert fed(name, lambda _: None).validation_status in {"ok", "unchanged"}


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, board in BOARDS.items() for what in board[3]])
def test_a_column_that_moved_or_went_is_quarantined(fed: Callable[[str, Change], Landing], name: str, what: str) -> None:
    change, words = BOARDS[name][3][what]
    landing = fed(name, change)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False), landing.reason
    assert words in landing.reason


@pytest.mark.parametrize("missing", MISSING, ids=str)
@pytest.mark.parametrize(("name", "column"), [("aa_api", "elo"), ("arena_web", "score")])
def test_a_leader_that_is_listed_without_its_rating_is_quarantined(
    fed: Callable[[str, Change], Landing], name: str, column: str, missing: Any
) -> None:
    landing = fed(name, put(column, missing, 0, 1))
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert f"{column} is missing now for 1 of" in landing.reason


@pytest.mark.parametrize(("what", "change"), [("removed", drop(4)), ("retired", put("rank", None, 3, 4))])
def test_an_entry_below_the_best_three_may_leave_or_be_retired_with_a_note(
    fed: Callable[[str, Change], Landing], what: str, change: Change
) -> None:
    landing = fed("aa_api", change)
    assert landing.is_served
    assert what in landing.reason


def test_a_first_response_whose_leader_has_a_rank_and_no_rating_is_quarantined(bench: Any, board: Any) -> None:
    page = board()
    page["data"][0]["elo"] = None
    landing = bench.feed(page)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert "elo is missing for 'Model 0', which have a rank" in landing.reason


@pytest.mark.parametrize("column", ["release_date", "appearances"])
def test_a_first_response_of_the_older_route_without_a_column_is_quarantined(bench: Any, board: Any, column: str) -> None:
    page = board()
    for entry in page["data"]:
        entry[column] = None
    landing = bench.feed(page)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert f"{column} has a value in 0 of 60 rows; 97% or more is expected" in landing.reason


@pytest.mark.parametrize("n", [1, 2])
def test_not_one_date_of_a_listed_entry_changes_without_a_person(fed: Callable[[str, Change], Landing], n: int) -> None:
    landing = fed("aa_api", each("release_date", year_back, n))
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert f"release_date is another for {n} of 87 known rows" in landing.reason


@pytest.mark.parametrize("stated", [500, "500", "error"])
def test_data_under_a_status_that_is_an_error_are_refused(bench: Any, board: Any, stated: Any) -> None:
    bench.feed(board())
    landing = bench.feed({**board(votes=3), "status": stated})
    assert (landing.validation_status, landing.is_served) == ("error", False)
    assert f"the response itself states status '{stated}'" in landing.reason


def test_the_newer_route_gives_less_and_is_served_and_what_both_give_may_not_go(bench: Any, board: Any) -> None:
    def newer() -> dict[str, Any]:
        page = board()
        for entry in page["data"]:
            del entry["rank"], entry["appearances"], entry["release_date"]
            entry["ci_95"] = int(entry.pop("ci95").split("/")[1])
        return copy.deepcopy(page)

    bench.feed(board())
    assert bench.feed(newer()).validation_status == "ok"
    bare = newer()
    for entry in bare["data"]:
        entry["slug"] = None
    landing = bench.feed(bare)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert "slug is missing now in 60 of 60" in landing.reason


def test_a_whole_column_may_go_only_where_an_archive_lost_one() -> None:
    lost = {
        (source.id, column)
        for source in read_sources(CHECKOUT)
        for table in source.tables.values()
        for column, bound in table.anomaly_checks.nulls.items()
        if bound.after(10_000) >= 1
    }
    assert lost == {("arena_web", "last_updated")}


def test_ranks_are_compared_within_their_board(place: Settings, bench_of: Any) -> None:
    bench = bench_of(place, read_source(CHECKOUT / "transforms" / "staging" / "arena_dataset"))
    row = {"organization": "o", "license": "l", "variance": 20.0, "vote_count": 900, "leaderboard_publish_date": "2026-02-10"}
    rows = [
        {**row, "organization": f"o{n % 4}", "category": category, "rank": n + 1, "model_name": f"m{n}", "rating": top - 9 * n,
         "rating_lower": top - 9 * n - 9, "rating_upper": top - 9 * n + 9}
        for category, top in (("overall", 1500), ("portraits", 1400))
        for n in range(30)
    ]  # fmt: skip
    landing = bench.feed({"rows": rows})
    assert (landing.validation_status, landing.reason) == ("ok", "")
    reversed_ranks(rows[30:])
    assert "rank contradicts rating in 29 places" in bench.feed({"rows": rows}).reason


def test_earlier_publications_may_not_lose_what_they_had(place: Settings, bench_of: Any) -> None:
    bench = bench_of(place, read_source(CHECKOUT / "transforms" / "staging" / "arena_dataset"))
    rows = [
        {"leaderboard_publish_date": day, "category": "overall", "rank": n + 1, "model_name": f"m{n}", "organization": f"o{n}", "license": "l",
         "variance": 20.0, "vote_count": 900, "rating": 1500 - 9 * n, "rating_lower": 1491 - 9 * n, "rating_upper": 1509 - 9 * n}
        for day in ("2026-01-10", "2026-02-10")
        for n in range(30)
    ]  # fmt: skip
    assert bench.feed({"rows": copy.deepcopy(rows)}).validation_status == "ok"
    gone, swapped = copy.deepcopy(rows), copy.deepcopy(rows)
    for entry in gone[:30]:
        entry["license"] = None
    onward("organization")(swapped[:30])
    assert "2026-01-10: license is missing now in 30 of 30" in bench.feed({"rows": gone}).reason
    assert "2026-01-10: organization is another for 30 of 30" in bench.feed({"rows": swapped}).reason
    assert [landing.validation_status for landing in bench.landed] == ["ok", "suspicious", "suspicious"]
