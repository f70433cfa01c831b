"""What describes a row is wrong and its numbers are right: who made it, its kind, its rank, its day, its page."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from datamoat.ingest.anomaly_checks import compare
from datamoat.ingest.finding import Finding
from datamoat.ingest.parse import read_response
from datamoat.parsing import Row
from datamoat.project.sources import Source, Table, read_source
from datamoat.settings import Settings

Entry = dict[str, Any]
Page = dict[str, Any]
Spoil = Callable[[list[Entry]], object]
CHECKOUT = Path(__file__).resolve().parents[2]
DAY = date(2026, 3, 2)
EPOCH = [
    "Model",
    "Organization",
    "Country (of organization)",
    "Domain",
    "Publication date",
    "Parameters",
    "Training compute (FLOP)",
]


def rated(n: int, votes: int) -> Entry:
    return {
        "id": f"i{n}", "name": f"N{n}", "slug": f"s{n}", "elo": 1300 - 7 * n, "rank": n + 1, "ci95": "-10/10",
        "appearances": 2000 + 37 * n + votes,
    }  # fmt: skip


def api(entries: list[Entry], votes: int) -> Page:
    for n, entry in enumerate(entries):
        entry.update(rated(n, votes))
        entry.update({"model_creator": {"id": f"c{n % 20}", "name": f"Studio {n % 20}"}, "release_date": "2025-06"})
    return {"status": 200, "data": entries}


def web(entries: list[Entry], votes: int) -> Page:
    for n, entry in enumerate(entries):
        entry.update(rated(n, votes))
        entry.update({"creator": {"id": f"c{n % 30}", "name": f"Studio {n % 30}", "country": "us"}, "release_date": "2025-06-01"})
        entry.update({"is_current": True, "open_weights_url": "https://example.org" if n > 55 else None})
    return {"models": entries}


def page(entries: list[Entry], votes: int) -> Page:
    for n, entry in enumerate(entries):
        entry |= {
            "rank": n + 1,
            "model": f"m{n}",
            "vendor": f"V{n % 30}",
            "license": "Open",
            "score": 1400 - 8 * n,
            "votes": 900 + votes,
            "ci": 9,
        }
    return {"meta": {"last_updated": "Jan 20, 2026"}, "models": entries}


def dataset(entries: list[Entry], votes: int) -> Page:
    for n, entry in enumerate(entries):
        entry |= {
            "leaderboard_publish_date": "2026-01-20",
            "category": "overall",
            "rank": n + 1,
            "model_name": f"m{n}",
            "license": "Open",
        }
        entry |= {
            "organization": f"O{n % 30}",
            "rating": 1400 - 8 * n,
            "rating_lower": 1391 - 8 * n,
            "rating_upper": 1409 - 8 * n,
        }
        entry |= {"variance": 20.0, "vote_count": 900 + votes}
    return {"rows": entries}


def models(entries: list[Entry], votes: int) -> Page:
    for n, entry in enumerate(entries):
        values = (
            f"Net {n}",
            f"Lab {n % 40}",
            f"Land {n % 5}",
            "Video" if n % 9 == 0 else f"Kind {n % 4}",
            f"{2010 + n % 15}-01-1{n % 10}",
        )
        entry |= dict(zip(EPOCH, (*values, str(10**6 * (n + 1)), f"{n + 1}e+20"), strict=True))
    return {"rows": entries, "votes": votes}


MAKERS = {
    "aa_api": (api, 60),
    "aa_web": (web, 60),
    "arena_web": (page, 60),
    "arena_dataset": (dataset, 60),
    "epoch_models": (models, 700),
}


def written(source: str, votes: int, spoil: Spoil | None = None) -> bytes | Page:
    """A made response of a source; `spoil` edits its entries, the best first."""
    make, n = MAKERS[source]
    entries: list[Entry] = [{} for _ in range(n)]
    made = make(entries, votes)
    if spoil:
        spoil(entries)
    if source != "epoch_models":
        return made
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, EPOCH, lineterminator="\n")
    table.writeheader()
    table.writerows(entries)
    return out.getvalue().encode()


def setting(column: str, value: Any, rows: slice = slice(None)) -> Spoil:
    """Give some entries a value, or what a function makes of the one they have; `a.b` is `b` inside `a`."""
    *outer, name = column.split(".")

    def change(entries: list[Entry]) -> None:
        for entry in entries[rows]:
            inside = entry[outer[0]] if outer else entry
            inside[name] = value(inside[name]) if callable(value) else value

    return change


def exchange(column: str, one: int, other: int) -> Spoil:
    def change(entries: list[Entry]) -> None:
        entries[one][column], entries[other][column] = entries[other][column], entries[one][column]

    return change


VIDEO = slice(0, None, 9)
WRONG: dict[str, tuple[str, Spoil, str]] = {
    "two creators of three entries each have other names": (
        "aa_api", lambda rows: [setting("model_creator.name", f"New {n}", slice(n, None, 20))(rows) for n in (0, 1)], "creator_name is another for 6 of 60"),
    "the leader has no creator's name": ("aa_api", setting("model_creator.name", None, slice(1)), "creator_name is missing now in 1 of 60 known rows that had it; none is expected"),
    "the tenth has no creator": ("aa_api", setting("model_creator.id", None, slice(9, 10)), "creator_id is missing now in 1 of 60"),
    "the tenth has no release date": ("aa_api", setting("release_date", None, slice(9, 10)), "release_date is missing now in 1 of 60"),
    "all entries are of one creator": ("aa_api", setting("model_creator", {"id": "c", "name": "S"}), "creator_name is 'S' in 60 of 60 rows; 60% or fewer"),
    "fourteen entries become those of another": ("aa_web", setting("creator.name", "Studio 29", slice(3, 17)), "creator_name is another for 14 of 60"),
    "two creators of two entries each have other names": (
        "aa_web", lambda rows: [setting("creator.name", f"New {n}", slice(n, None, 30))(rows) for n in (6, 7)], "creator_name is another for 4 of 60"),
    "one entry becomes that of another": ("aa_web", setting("creator.name", "Studio 29", slice(20, 21)), "creator_name: known rows took over 'Studio 29' from other known rows"),
    "one creator has two ids": ("aa_web", setting("creator.id", "new", slice(20, 21)), "values of creator_name have several of creator_id"),
    "the first and the fifth exchange their creators": ("aa_web", exchange("creator", 0, 4), "creator_id: known rows took over 'c0', 'c4'"),
    "two entries are of another country": ("aa_web", setting("creator.country", "cn", slice(20, 22)), "creator_country is another for 2 of 60"),
    "sixteen entries are not current": ("aa_web", setting("is_current", False, slice(9, 25)), "is_current is another for 16 of 60"),
    "five percent are not current, and two more": ("aa_web", setting("is_current", False, slice(9, 14)), "is_current is true for 92% of rows, before for 100%"),
    "all entries have open weights": ("aa_web", setting("open_weights_url", "https://example.org"), "open_weights_url is another for 56 of 60"),
    "no entry has open weights": ("aa_web", setting("open_weights_url", None), "open_weights_url is another for 4 of 60"),
    "an entry has no release date": ("aa_web", setting("release_date", None, slice(20, 21)), "release_date is missing now in 1 of 60"),
    "an entry has another release date": ("aa_web", setting("release_date", "2025-05-01", slice(20, 21)), "release_date is another for 1 of 60 known rows ('N20'); none is expected"),
    "the leader is of a vendor of others": ("arena_web", setting("vendor", "V7", slice(1)), "vendor: known rows took over 'V7' from other known rows"),
    "the leader is of a vendor nobody had, its other entry is not": (
        "arena_web", setting("vendor", "New", slice(1)), "vendor of 'm0', one of the best 5, is 'New' now, and not for every entry that had 'V0'; it was 'V0'"),
    "the fifth has no vendor": ("arena_web", setting("vendor", None, slice(4, 5)), "vendor of 'm4', one of the best 5, is missing now; it was 'V4'"),
    "nine vendors are others": ("arena_web", setting("vendor", lambda name: f"New {name}", slice(9, 18)), "vendor is another for 9 of 60"),
    "seven vendors are missing": ("arena_web", setting("vendor", None, slice(9, 16)), "vendor is missing now in 7 of 60"),
    "all entries are of one vendor": ("arena_web", setting("vendor", "V"), "vendor is 'V' in 60 of 60 rows; 80% or fewer are expected to share one"),
    "four licences are others": ("arena_web", setting("license", "Closed", slice(9, 13)), "license is another for 4 of 60"),
    "the leader has another organisation": ("arena_dataset", setting("organization", "New", slice(1)), "organization of 'm0', one of the best 4, is 'New' now"),
    "the fourth has none": ("arena_dataset", setting("organization", "", slice(3, 4)), "organization of 'm3', one of the best 4, is missing now"),
    "two of the others have none": ("arena_dataset", setting("organization", "", slice(9, 11)), "organization is missing now in 2 of 60"),
    "all entries are of one organisation": ("arena_dataset", setting("organization", "O"), "organization is 'O' in 60 of 60 rows"),
    "all video models are of one organisation": ("epoch_models", setting("Organization", "Lab 7", VIDEO), "organization is 'Lab 7' in 78 of 78 rows of those whose domain matches; 50% or fewer"),
    "a third of them is": ("epoch_models", setting("Organization", "Lab 7", slice(0, 243, 9)), "known rows of those whose domain matches"),
    "six of them lose their domain": ("epoch_models", setting("Domain", "Kind 0", slice(0, 54, 9)), "domain began or ceased to match"),
    "sixty others gain it": ("epoch_models", setting("Domain", "Kind 1,Video", slice(1, 541, 9)), "in 60 of 138 known rows"),
    "all are of one country": ("epoch_models", setting("Country (of organization)", "Land 1"), "country is 'Land 1' in 700 of 700 rows; 85% or fewer"),
    "a tenth are of another country": ("epoch_models", setting("Country (of organization)", "Land 9", slice(70)), "country is another for 70 of 700"),
    "video models of a tenth of them are": ("epoch_models", setting("Country (of organization)", "Land 9", slice(0, 81, 9)), "country is another for 9 of 78 known rows of those"),
    "the parameters of all video models are a thousand times as many": (
        "epoch_models", setting("Parameters", lambda text: f"{text}000", VIDEO), "parameters is another for 78 of 78 known rows of those"),
    "the compute of a ninth of them is": ("epoch_models", setting("Training compute (FLOP)", lambda text: f"{text[:-2]}23", slice(0, 81, 9)), "training_compute_flop is another for 9 of 78"),
}  # fmt: skip


@cache
def source_of(name: str) -> Source:
    return read_source(CHECKOUT / "transforms" / "staging" / name)


def rows_of(name: str, votes: int, spoil: Spoil | None = None) -> list[Row]:
    body = written(name, votes, spoil)
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    (rows,) = read_response(source_of(name), [body], "notable_models" if name == "epoch_models" else "text_to_video", DAY)[
        0
    ].values()
    return rows


@cache
def good_rows(name: str) -> list[Row]:
    return rows_of(name, 0)


def compared(name: str, spoil: Spoil | None) -> Finding:
    """Compare a response a day later, with some new votes and what `spoil` makes of it, with the good one."""
    (table,) = source_of(name).tables.values()
    return compare(table, rows_of(name, 5, spoil), good_rows(name), day=DAY, last_day=DAY - timedelta(days=1))


@pytest.mark.parametrize("name", MAKERS)
def test_in_the_made_responses_nothing_is_wrong_before_it_is_made_so(name: str) -> None:
    found = compared(name, None)
    assert (found.suspicions, found.notes) == ([], [])


@pytest.mark.parametrize("what", WRONG)
def test_a_response_whose_numbers_are_right_is_quarantined_where(what: str) -> None:
    name, spoil, sign = WRONG[what]
    found = compared(name, spoil)
    assert found.status == "suspicious"
    assert sign in found.reason


RIGHT: dict[str, tuple[str, Spoil, str]] = {
    "a creator is renamed in all its entries": (
        "aa_api", setting("model_creator.name", "New", slice(0, None, 20)), "creator_name: 'Studio 0' is now 'New' (3 rows)"),
    "a vendor is, the leader among them": ("arena_web", setting("vendor", "New", slice(0, None, 30)), "vendor: 'V0' is now 'New' (2 rows)"),
    "an entry below the best has another vendor": ("arena_web", setting("vendor", "New", slice(5, 6)), "vendor: 'V5' is now 'New'"),
    "an entry below the best has none": ("arena_web", setting("vendor", None, slice(5, 6)), "vendor is missing now for 'm5'"),
    "the fifth has another organisation": ("arena_dataset", setting("organization", "New", slice(4, 5)), "organization: 'O4' is now 'New'"),
    "a model is not current any more": ("aa_web", setting("is_current", False, slice(9, 10)), "is_current is another for 'N9'"),
    "the leader's vendor has characters that nobody sees": (
        "arena_web", setting("vendor", "V\u200b0\u00a0", slice(1)), "invisible characters in vendor 'V\\u200b0\\xa0'; spaces that are not plain ones in vendor"),
    "six video models have another organisation": ("epoch_models", setting("Organization", "Lab X", slice(0, 54, 9)), "organization is another for 'Net 0'"),
}  # fmt: skip


@pytest.mark.parametrize("what", RIGHT)
def test_what_publishers_do_change_is_served_with_a_note_where(what: str) -> None:
    name, spoil, sign = RIGHT[what]
    found = compared(name, spoil)
    assert not found.suspicions
    assert sign in found.reason


@pytest.fixture
def bench_on(place: Settings, source: Callable[[str], Source], bench_of: Any) -> Callable[[str], Any]:
    """Return a function that makes a bench for a source, in March 2026."""
    return lambda name: bench_of(place, source(name), date(2026, 3, 1))


def test_names_that_were_doubted_are_so_after_a_hundred_days_and_the_right_ones_are_served(
    bench_on: Callable[[str], Any],
) -> None:
    bench = bench_on("aa_api")
    _, spoil, sign = WRONG["two creators of three entries each have other names"]
    bench.feed(written("aa_api", 0))
    assert sign in bench.feed(written("aa_api", 5, spoil), days=100).reason
    landing = bench.feed(written("aa_api", 400, spoil))
    assert landing.validation_status == "suspicious"
    assert sign not in landing.reason, "the bound is wider now"
    assert "creator_name is as it was doubted then for 'N0', 'N1', 'N20' and 3 more" in landing.reason
    assert bench.feed(written("aa_api", 500)).validation_status == "ok"


@pytest.mark.parametrize("name", ["aa_api", "aa_web", "arena_web", "arena_dataset"])
@pytest.mark.parametrize(
    ("rank", "word"),
    [(lambda rank: rank - 1, "rank begins at 0; 1 is expected"), (lambda rank: rank + 5, "rank begins at 6"), (lambda _: 1, "rank is 1 for all 60 entries")],
)  # fmt: skip
def test_ranks_that_do_not_begin_at_one_or_are_all_the_same_are_quarantined(
    bench_on: Callable[[str], Any], name: str, rank: Callable[[int], int], word: str
) -> None:
    landing = bench_on(name).feed(written(name, 0, setting("rank", rank)))
    assert (landing.validation_status, word in landing.reason) == ("suspicious", True)


def test_the_rows_of_yesterday_under_a_later_day_are_quarantined_and_new_votes_under_it_are_served(
    bench_on: Callable[[str], Any],
) -> None:
    bench = bench_on("arena_dataset")
    bench.feed(written("arena_dataset", 0))
    landing = bench.feed(written("arena_dataset", 0, setting("leaderboard_publish_date", "2026-02-20")))
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert "went on from 2026-01-20 to 2026-02-20, and no rating and no vote_count of 60 known entries changed" in landing.reason
    assert bench.feed(written("arena_dataset", 3, setting("leaderboard_publish_date", "2026-02-20"))).validation_status == "ok"


@pytest.mark.parametrize(
    ("days", "votes", "served"),
    [(("Jan 20, 2026", "Feb 2, 2026"), 0, False), (("Jan 20, 2026", "Feb 2, 2026"), 3, True), ((None, "Feb 2, 2026"), 0, True), (("Jan 20, 2026", None), 0, True)],
)  # fmt: skip
def test_the_day_of_an_update_goes_on_only_with_a_rating_or_a_count(
    bench_on: Callable[[str], Any], days: tuple[str | None, str | None], votes: int, served: bool
) -> None:
    bench = bench_on("arena_web")
    first, second = ({**written("arena_web", n), "meta": {"last_updated": day}} for n, day in zip((0, votes), days, strict=True))
    bench.feed(first)
    landing = bench.feed(second)
    assert landing.is_served is served
    assert ("last_updated went on from 2026-01-20 to 2026-02-02" in landing.reason) is not served


@pytest.mark.parametrize("day", ["5. Juli 2026", "Jan 20, 2026, 23:00 PST", "2026Q1"])
def test_a_day_that_is_no_date_is_named_as_that_and_not_as_the_future(bench_on: Callable[[str], Any], day: str) -> None:
    landing = bench_on("arena_web").feed({**written("arena_web", 0), "meta": {"last_updated": day}})
    assert landing.validation_status == "suspicious"
    assert f"last_updated is no date as this source writes them: '{day}'" in landing.reason
    assert "future" not in landing.reason


@pytest.mark.parametrize(
    ("pagination", "word"),
    [
        ({"page": 1, "total_pages": 2, "has_more": True}, "there are 2 pages, and there are 1"),
        ({"page": 1, "total_pages": 2, "has_more": False}, "there are 2 pages, and there are 1"),
        ({"has_more": True}, "its last page states that another follows"),
        ({"page": 2, "total_pages": 1, "has_more": False}, "states that it is page 2, and is page 1 of what there is"),
        ({"page": 1, "total_pages": 1, "has_more": False}, None),
        ({}, None),
    ],
)
def test_a_file_that_states_more_pages_than_it_holds_is_refused_whoever_brought_it(
    bench_on: Callable[[str], Any], pagination: dict[str, Any], word: str | None
) -> None:
    landing = bench_on("aa_api").feed({**written("aa_api", 0), "pagination": pagination})
    assert (landing.validation_status, word is None or word in landing.reason) == ("error" if word else "ok", True)


def test_a_rule_among_rows_that_no_match_names_is_refused(source: Callable[[str], Source]) -> None:
    stated = {"columns": ["domain"], "among": "task", "changed": {"max": 0, "reason": "made for this test"}}
    table = source("epoch_models").tables["models"]
    checks = table.anomaly_checks.model_copy(update={"steady": ()})
    with pytest.raises(ValueError, match="among is task, which is no column of matches"):
        Table.model_validate({**dict(table), "anomaly_checks": {**dict(checks), "steady": (stated,)}}, strict=False)
