"""A response that is wrong from the first on, or wrong for a single row, is quarantined; the same response without it is not."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from datamoat.project.sources import Source
from datamoat.settings import Settings

Page = dict[str, Any]


def exchange(page: Page, *names: str, rows: tuple[int, int] = (0, 4)) -> None:
    one, other = (page["data"][n] for n in rows)
    for name in names:
        one[name], other[name] = other[name], one[name]


def name_and_creator(page: Page) -> None:
    for entry in page["data"]:
        entry["name"], entry["model_creator"]["name"] = entry["model_creator"]["name"], entry["name"]


def elo_and_rank(page: Page) -> None:
    for entry in page["data"]:
        entry["elo"], entry["rank"] = entry["rank"], entry["elo"]


def hundredth(page: Page) -> None:
    for entry in page["data"]:
        entry["elo"] /= 100


def no_rank(page: Page) -> None:
    for entry in page["data"]:
        entry["rank"] = None


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (hundredth, "300 to 3000 is expected"),
        (elo_and_rank, "300 to 3000 is expected"),
        (name_and_creator, "name has a value of their own in 9 of 60 rows"),
        (no_rank, "rank has a value in 0 of 60 rows"),
        (lambda page: exchange(page, "elo", rows=(10, 50)), "rank contradicts elo in 2 places, by 273 at most"),
        (
            lambda page: exchange(page, "model_creator", rows=(0, 1)) or page["data"][0]["model_creator"].update(id="c-5"),
            "several",
        ),
    ],
)
def test_a_first_board_that_is_wrong_as_a_whole_is_quarantined(
    bench: Any, board: Callable[..., Page], spoil: Callable[[Page], None], word: str
) -> None:
    page = board()
    spoil(page)
    landing = bench.feed(page)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert word in landing.reason
    assert bench.feed(board()).validation_status == "ok"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda page: exchange(page, "model_creator"), "creator_id is another for 2 of 60"),
        (
            lambda page: page["data"][0].update(model_creator={"id": "c-7", "name": "Studio 7"}),
            "creator_id is another for 1 of 60",
        ),
        (lambda page: page["data"][0].update(model_creator={"id": "c-0", "name": "Other"}), "creator_id have several"),
        (lambda page: exchange(page, "slug"), "slug: known rows took over 'model-0', 'model-4' from other known rows"),
    ],
)
def test_a_single_creator_or_slug_on_another_entry_is_quarantined(
    bench: Any, board: Callable[..., Page], spoil: Callable[[Page], None], word: str
) -> None:
    assert bench.feed(board()).validation_status == "ok"
    page = board(votes=5)
    spoil(page)
    landing = bench.feed(page)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert word in landing.reason


def of_creators(page: Page, n: int) -> Page:
    """Give the entries of a board `n` creators, one after the other."""
    for number, entry in enumerate(page["data"]):
        entry["model_creator"] = {"id": f"c-{number % n}", "name": f"Studio {number % n}"}
    return page


def renamed(page: Page, new: str, *, first: int = 0, entries: int = 99) -> Page:
    """Rename the creator of entry `first`, in so many of its entries."""
    old = page["data"][first]["model_creator"]["name"]
    for entry in [entry for entry in page["data"] if entry["model_creator"]["name"] == old][:entries]:
        entry["model_creator"]["name"] = new
    return page


@pytest.mark.parametrize("first", [0, 19])
def test_a_creator_that_is_renamed_with_all_its_entries_and_a_slug_that_is_new_are_served_and_noted(
    bench: Any, board: Callable[..., Page], first: int
) -> None:
    bench.feed(of_creators(board(), 20))
    page = renamed(of_creators(board(votes=5), 20), "Renamed", first=first)
    page["data"][0]["slug"] = "another"
    landing = bench.feed(page)
    assert landing.validation_status == "ok"
    assert f"creator_name: 'Studio {first}' is now 'Renamed' (3 rows)" in landing.reason
    assert "slug: 'model-0' is now 'another'" in landing.reason


def report(quarters: int = 40, rate: str = "0.010", removed: str = "120030000") -> bytes:
    lines = ["Metric,Period,Result"]
    for n in range(quarters):
        period = f"{2016 + n // 4} Q{n % 4 + 1}"
        lines += [f"Total videos removed,{period},{removed}", f"Video: Removal rate of published,{period},{rate}"]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"rate": "", "removed": ""}, "value has a value in 0 of 80 rows"),
        ({"rate": "1.0"}, "value of 'Video: Removal rate of published' is 1"),
        ({"removed": "120030"}, "value of 'Total videos removed' is 120030"),
        ({"quarters": 41}, "period lies in the future of the capture (2026-03-01): '2026 Q1'"),
    ],
)
def test_a_first_report_without_values_in_another_unit_or_of_a_quarter_that_has_not_ended_is_quarantined(
    place: Settings, source: Callable[[str], Source], bench_of: Any, changed: dict[str, Any], word: str
) -> None:
    bench = bench_of(place, source("tiktok_enforcement"))
    landing = bench.feed(report(**changed), "report")
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert word in landing.reason
    bench.day = date(2026, 4, 1)
    assert bench.feed(report(41 if "quarters" in changed else 40), "report").validation_status == "ok"


def pages_of(bench: Any, name: str) -> Callable[..., Page]:
    """Return a function that makes a page of Arena of thirty entries out of the sample."""
    sample = json.loads((bench.source.folder / "sample" / f"{name}.json").read_text())

    def make(updated: str | None = "Jan 20, 2026", **changes: Any) -> Page:
        entry = sample["models"][0] | {"ci": 10}
        models = [
            {**entry, "model": f"m{n}", "vendor": f"v{n % 9}", "rank": n + 1, "score": 1400 - 9 * n, "votes": 700 + n, **changes}
            for n in range(30)
        ]
        return {"meta": {"leaderboard": "text-to-video", "last_updated": updated, "model_count": 30}, "models": models}

    return make


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"score": 14}, "300 to 3000 is expected"), ({"vendor": None}, "vendor has a value in 0 of 30 rows")],
)
def test_a_first_page_of_arena_without_a_column_or_on_another_scale_is_quarantined(
    place: Settings, source: Callable[[str], Source], bench_of: Any, changes: Page, word: str
) -> None:
    bench = bench_of(place, source("arena_web"))
    landing = bench.feed(pages_of(bench, "text_to_video")(**changes))
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert word in landing.reason


def test_a_day_of_update_that_goes_back_is_quarantined_and_one_that_goes_on_or_is_missing_is_served(
    place: Settings, source: Callable[[str], Source], bench_of: Any
) -> None:
    bench = bench_of(place, source("arena_web"))
    make = pages_of(bench, "text_to_video")
    days = ("Jan 20, 2026", "Jan 19, 2026", None, "Feb 2, 2026", "Dec 30, 2025")
    landings = [bench.feed(make(day)) for day in days]
    assert [landing.is_served for landing in landings] == [True, False, True, True, False]
    assert "last_updated went back from 2026-01-20 to 2026-01-19" in landings[1].reason
