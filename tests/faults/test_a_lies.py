"""Faults A01 to A22: what upstreams say that is not so. Each answer is fed after a good one, through the same door."""

import copy
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from datamoat.errors import SourceChangedError
from datamoat.ingest.land import forget, land_all, land_source
from datamoat.ingest.landings import Landing, landing_rows, raw_relations, read_landings
from datamoat.ingest.paging import page_state
from datamoat.ingest.source_state import states
from datamoat.ingest.status import Status
from datamoat.parsing import parse_count, parse_number
from datamoat.project.sources import Paging, Source
from datamoat.settings import Settings
from datamoat.storage.snapshots import Snapshots

Board = Callable[..., dict[str, Any]]


def unserved(bench: Any, body: Any, verdict: str) -> str:
    """Feed a bad answer, check that nothing of it is served and that its bytes are kept, and return the reason."""
    rows_before = bench.rows()
    landing = bench.feed(body)
    assert landing.validation_status == verdict, landing.reason
    assert not landing.is_served
    assert bench.rows() == rows_before
    sent = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    assert bench.kept(landing) == sent
    state = next(state for state in states(bench.settings, [bench.source], bench.day) if state.request == landing.request)
    assert state.state == {"suspicious": "quarantined", "error": "failing"}[verdict]
    assert state.since is not None
    assert state.since <= landing.captured_on
    assert state.served_on is not None
    return landing.reason


def test_a01_an_empty_list_with_success_is_quarantined_on_the_first_run(bench: Any, board: Board) -> None:
    bench.feed(board())
    reason = unserved(bench, {"status": 200, "include_categories": False, "data": []}, "suspicious")
    assert "an empty list with success: 0 rows, expected 40 to 400" in reason
    assert "had 60" in reason


def test_a01_the_real_empty_answer_is_found_on_its_first_day(
    captures: Path, place: Settings, source: Callable[[str], Source], bench_of: Any
) -> None:
    bench = bench_of(place, source("aa_web"), day=date(2026, 5, 14))
    folder = captures / "artificial_analysis/web_arena_preferences"
    assert bench.feed((folder / "2026-05-14/text-to-video.json").read_bytes()).validation_status == "ok"
    assert "empty list" in unserved(bench, (folder / "2026-05-15/text-to-video.json").read_bytes(), "suspicious")


def test_a01_a_request_that_never_had_rows_says_so_too(bench: Any) -> None:
    assert bench.feed({"data": []}).validation_status == "suspicious"
    assert bench.served() == []


def test_a02_a_renamed_key_is_told_apart_from_an_empty_list(bench: Any, board: Board) -> None:
    bench.feed(board())
    page = board()
    page["items"] = page.pop("data")
    reason = unserved(bench, page, "error")
    assert "'data' is not there" in reason
    assert "'items'" in reason
    assert "empty" not in reason


@pytest.mark.parametrize("kept", [20, 45, 53])
def test_a03_a_truncated_list_is_quarantined_with_the_expected_band(bench: Any, board: Board, kept: int) -> None:
    bench.feed(board())
    reason = unserved(bench, board(drop=60 - kept), "suspicious")
    assert f"{kept} rows, expected" in reason
    assert "truncated list" in reason


def test_a03_a_board_that_loses_one_entry_is_served(bench: Any, board: Board) -> None:
    bench.feed(board())
    landing = bench.feed(board(drop=1))
    assert landing.is_served
    assert "removed: 'Model 59'" in landing.reason


@pytest.mark.parametrize("lines", [1, 3, 40])
def test_a03_a_report_cut_at_the_end_of_a_row_is_quarantined(
    place: Settings, source: Callable[[str], Source], bench_of: Any, lines: int
) -> None:
    bench = bench_of(place, source("tiktok_enforcement"))
    assert bench.feed(report(), "report").validation_status == "ok"
    landing = bench.feed(b"".join(report().splitlines(keepends=True)[:-lines]), "report")
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert "a truncated list" in landing.reason
    assert f"{lines} of the 80 known" in landing.reason


def test_a04_pages_in_any_order_give_the_same_rows_and_a_repeated_page_is_found(bench: Any, board: Board) -> None:
    bench.feed(board())
    shuffled = board()
    shuffled["data"] = shuffled["data"][30:] + shuffled["data"][:30]
    assert bench.feed(shuffled).validation_status == "unchanged"
    doubled = board()
    doubled["data"] = doubled["data"][:30] * 2
    assert "truncated" in unserved(bench, doubled, "suspicious")


def test_a04_a_page_says_which_it_is_and_whether_another_follows() -> None:
    paging = Paging(param="page", number="pagination.page", total="pagination.total_pages", more="pagination.has_more")
    assert page_state(b'{"pagination": {"page": 1, "total_pages": 2, "has_more": true}}', paging) == (1, 2, True)
    assert page_state(b'{"pagination": {"page": 2, "total_pages": 2, "has_more": false}}', paging) == (2, 2, False)
    assert page_state(b'{"pagination": {"page": 2, "total_pages": 2, "has_more": true}}', paging) == (2, 2, True)
    assert page_state(b'{"pagination": {"page": 1, "total_pages": 2, "has_more": false}}', paging) == (1, 2, False)
    assert page_state(b'{"pagination": {"page": 1, "total_pages": 2}}', paging) == (1, 2, True)
    assert page_state(b'{"pagination": {"page": 2, "total_pages": 2}}', paging) == (2, 2, False)
    assert page_state(b'{"pagination": {"page": 1}}', paging) == (1, None, False)
    assert page_state(b'{"pagination": {"page": "1", "total_pages": 2.5}}', paging) == (None, None, False)
    assert page_state(b'{"pagination": [1, 2]}', paging) == (None, None, False)
    assert page_state(b'{"data": []}', paging) == (None, None, False)
    assert page_state(b"<html>", paging) == (None, None, False)


def test_a05_rows_that_are_there_twice_count_once_only_if_they_are_the_same(bench: Any, board: Board) -> None:
    bench.feed(board())
    twice = board()
    twice["data"].append(copy.deepcopy(twice["data"][3]))
    landing = bench.feed(twice)
    assert landing.validation_status == "unchanged"
    assert "there twice" in landing.reason
    clash = board()
    clash["data"].append({**copy.deepcopy(clash["data"][3]), "elo": 999})
    reason = unserved(bench, clash, "suspicious")
    assert "two different rows for one key" in reason
    assert "elo" in reason


@pytest.mark.parametrize(
    ("factor", "word"),
    [(1000, "thousands"), (1 / 1000, "thousands"), (60, "minutes"), (3600, "seconds"), (1e6, "millions"), (3, "")],
)
def test_a06_another_unit_is_found_from_a_factor_of_three(bench: Any, board: Board, factor: float, word: str) -> None:
    bench.feed(board())
    page = board()
    for entry in page["data"]:
        entry["elo"] = entry["elo"] * factor
    reason = unserved(bench, page, "suspicious")
    assert "times as wide" in reason
    assert word in reason


@pytest.mark.parametrize("factor", [1000, 1 / 1000, 10, 4])
def test_a06_votes_in_another_unit_are_found(bench: Any, board: Board, factor: float) -> None:
    bench.feed(board())
    page = board()
    for entry in page["data"]:
        entry["appearances"] = max(round(entry["appearances"] * factor), 1)
    assert "appearances is" in unserved(bench, page, "suspicious")


@pytest.mark.parametrize("interval", ["1290/1310", "-0.01/0.01", "-900/900"])
def test_a06_intervals_in_another_unit_are_found(bench: Any, board: Board, interval: str) -> None:
    bench.feed(board())
    page = board(votes=9)
    for entry in page["data"]:
        entry["ci95"] = interval
    assert "interval_up is" in unserved(bench, page, "suspicious")
    assert bench.feed({**page, "data": [{**entry, "ci95": "-12/12"} for entry in page["data"]]}).is_served


def test_a06_bounds_that_do_not_hold_their_rating_are_found(
    place: Settings, source: Callable[[str], Source], bench_of: Any
) -> None:
    bench = bench_of(place, source("arena_dataset"))
    sample = json.loads((bench.source.folder / "sample" / "text_to_video.json").read_text())
    entry = sample["rows"][0]
    sample["meta"].pop("n_rows", None)
    sample["rows"] = [
        {**entry, "model_name": f"m{n}", "rank": n + 1, "rating": 1300.0 - n, "rating_lower": 9.0, "rating_upper": 9.0}
        for n in range(30)
    ]
    landing = bench.feed(sample)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert "outside its own interval" in landing.reason


@pytest.mark.parametrize(("removed", "rate"), [("1200", "0.010"), ("1200300", "1.0"), ("1200300000", "0.010")])
def test_a06_a_new_quarter_in_another_unit_is_found_though_nothing_known_changed(
    place: Settings, source: Callable[[str], Source], bench_of: Any, removed: str, rate: str
) -> None:
    bench = bench_of(place, source("tiktok_enforcement"))
    assert bench.feed(report(), "report").validation_status == "ok"
    tail = "Quarter,Jan-Mar 2026,All,All,All,All,Global,All"
    added = f"Total videos removed,{tail},{removed}\nVideo: Removal rate of published,{tail},{rate}\n"
    bench.day = date(2027, 1, 20)
    landing = bench.feed(report() + added.encode(), "report")
    assert landing.validation_status == "suspicious"
    assert "value of the new" in landing.reason
    assert " times that of " in landing.reason
    plain = f"Total videos removed,{tail},1500300\nVideo: Removal rate of published,{tail},0.009\n"
    assert bench.feed(report() + plain.encode(), "report").validation_status == "ok"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1.2万", 12_000),
        ("3.4億", 340_000_000),
        ("5k", 5_000),
        ("１２３４", 1_234),
        ("1,234,567", 1_234_567),
        ("1 234 567", 1_234_567),
        ("2.5 million", 2_500_000),
    ],
)
def test_a07_counts_are_read_in_every_grammar_or_not_at_all(written: str, value: int) -> None:
    assert parse_count(written) == value


@pytest.mark.parametrize(
    ("unit", "value"),
    [("k", 2e3), ("thousand", 2e3), ("千", 2e3), ("万", 2e4), ("萬", 2e4), ("m", 2e6), ("mn", 2e6), ("million", 2e6), ("百万", 2e6),
     ("千万", 2e7), ("亿", 2e8), ("億", 2e8), ("b", 2e9), ("bn", 2e9), ("billion", 2e9), ("", 2)],
)  # fmt: skip
def test_a07_every_word_for_a_power_of_ten_is_that_power(unit: str, value: float) -> None:
    assert parse_count(f"2{unit}") == parse_count(f"2 {unit}") == value


@pytest.mark.parametrize(
    "written", ["1,234万", "1.234", "0,009", "012,345", "1,2,3", "12,5", "1.2.3万", "about 5", "5kk", "0x10", "1e6", "--5", "5-6"]
)
def test_a07_what_can_be_read_in_two_ways_is_refused(written: str) -> None:
    with pytest.raises(SourceChangedError):
        parse_count(written)


@pytest.mark.parametrize("written", ["0,005", "5%", "1,234.5", "½"])
def test_a07_a_share_has_a_decimal_point_or_is_refused(written: str) -> None:
    with pytest.raises(SourceChangedError):
        parse_number(written)


def report(rate: str = "0.010", removed: str = "1200300", **more: str) -> bytes:
    """Return a made-up enforcement report with enough quarters to land."""
    lines = ["Metric,Period type,Period,Policy type,Issue,Task type,Task,Location,Market,Result"]
    for year in range(2016, 2026):
        for months in ("Jan-Mar", "Apr-Jun", "Jul-Sep", "Oct-Dec"):
            tail = f"Quarter,{months} {year},All,All,All,All,Global,All"
            lines += [
                f'Total videos removed,{tail},"{removed}"',
                f"Video: Removal rate of published,{tail},{more.get(f'{months} {year}', rate)}",
            ]
    return ("\n".join(lines) + "\n").encode()


def test_a08_a_share_printed_as_per_cent_is_found(place: Settings, source: Callable[[str], Source], bench_of: Any) -> None:
    bench = bench_of(place, source("tiktok_enforcement"))
    assert bench.feed(report(), "report").validation_status == "ok"
    landing = bench.feed(report(rate="1.0"), "report")
    assert landing.validation_status == "suspicious"
    assert "per cent" in landing.reason
    web = bench_of(Settings(place.content, place.data / "web"), source("aa_web"))
    sample = json.loads((web.source.folder / "sample" / "text_to_video.json").read_text())
    entry = sample["models"][0]
    sample["meta"].pop("model_count")
    sample["models"] = [{**entry, "id": f"i{n}", "elo": 1200 - n, "rank": n + 1, "win_rate": 37.0} for n in range(50)]
    landing = web.feed(sample)
    assert landing.validation_status == "suspicious"
    assert "per cent" in landing.reason


def test_a09_a_flag_turned_round_is_found_by_its_share(place: Settings, source: Callable[[str], Source], bench_of: Any) -> None:
    bench = bench_of(place, source("aa_web"))
    sample = json.loads((bench.source.folder / "sample" / "text_to_video.json").read_text())
    entry = sample["models"][0]
    sample["meta"].pop("model_count")
    sample["models"] = [
        {
            **entry,
            "id": f"i{n}",
            "name": f"N{n}",
            "creator": {"id": f"c{n % 4}", "name": f"C{n % 4}"},
            "elo": 1200 - n,
            "rank": n + 1,
            "is_current": n % 9 > 0,
        }
        for n in range(54)
    ]
    assert bench.feed(sample).validation_status == "ok"
    for model in sample["models"]:
        model["is_current"] = not model["is_current"]
    landing = bench.feed(sample)
    assert landing.validation_status == "suspicious"
    assert "turned round" in landing.reason


def test_a10_a_column_may_be_added_or_moved_but_not_renamed_dropped_or_retyped(bench: Any, board: Board) -> None:
    bench.feed(board())
    added = board()
    for entry in added["data"]:
        entry["mood"] = "good"
    landing = bench.feed(added)
    assert landing.is_served
    assert "'mood' is new" in landing.reason
    moved = board()
    moved["data"] = [dict(reversed(entry.items())) for entry in moved["data"]]
    assert bench.feed(moved).validation_status == "unchanged"
    for change in ({"elo": "1300"}, {"appearances": 12.5}, {"rank": "first"}, {"name": 5}, {"model_creator": "Studio"}):
        wrong = board()
        wrong["data"][7] |= change
        assert "not" in unserved(bench, wrong, "error")
    for key in ("elo", "id", "name", "rank", "appearances", "model_creator"):
        renamed, dropped = board(), board()
        for entry in renamed["data"]:
            entry[f"{key}_new"] = entry.pop(key)
        for entry in dropped["data"]:
            del entry[key]
        assert f"no '{key}'" in unserved(bench, renamed, "error")
        assert f"no '{key}'" in unserved(bench, dropped, "error")


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (b"Total videos removed,", b"Videos removed in total,", "suspicious"),
        (b"Removal rate of published", b"Removal Rate Of Published", "suspicious"),
        (b",All,All,All,All,Global", b",Overall,All,All,All,Global", "error"),
        (b",Global,", b",Worldwide,", "error"),
        (b"Metric,", b"Indicator,", "error"),
        (b"Policy type,", b"Policy area,", "ok"),
    ],
)
def test_a10_a_word_of_the_report_that_is_renamed_stops_it_where_it_counts(
    place: Settings, source: Callable[[str], Source], bench_of: Any, old: bytes, new: bytes, verdict: str
) -> None:
    bench = bench_of(place, source("tiktok_enforcement"))
    policies = b"".join(
        b"Total videos removed,Quarter,Jan-Mar 2025,%s,All,All,All,Global,All,7\n" % name for name in (b"Minor safety", b"Spam")
    )
    assert bench.feed(report() + policies, "report").validation_status == "ok"
    assert bench.feed(report() + policies.replace(b"Minor safety", b"Youth safety"), "report").validation_status == "unchanged"
    assert bench.feed(report().replace(old, new), "report").validation_status == ("unchanged" if verdict == "ok" else verdict)


def test_a10_a_parts_column_that_is_renamed_does_not_turn_parts_into_the_whole(
    place: Settings, source: Callable[[str], Source], bench_of: Any
) -> None:
    bench = bench_of(place, source("tiktok_enforcement"))
    part = b"Total videos removed,Quarter,Jan-Mar 2025,Spam,All,All,All,Global,All,7\n"
    landing = bench.feed((report() + part).replace(b"Policy type", b"Policy area"), "report")
    assert landing.validation_status == "suspicious"
    assert "two different rows for one key" in landing.reason


@pytest.mark.parametrize("written", ["null", "N/A", "-", "", "nan", None, -1, float("nan"), float("inf")])
def test_a11_every_way_of_writing_none_is_missing_with_a_note(bench: Any, board: Board, written: Any) -> None:
    page = board()
    page["data"][5]["elo"] = page["data"][5]["appearances"] = written
    page["data"][5]["rank"] = None  # with a rank, or where it was rated before, it would be held back
    landing = bench.feed(json.dumps(page))
    assert landing.is_served
    row = next(row for row in bench.rows() if row["id"] == "id-005" and row["elo"] is None)
    assert row["appearances"] is None
    assert "missing" in landing.reason or written is None
    assert all(row["elo"] is None or row["elo"] > 0 for row in bench.rows())


def test_a12_votes_that_fall_are_a_revision_and_are_served(bench: Any, board: Board) -> None:
    bench.feed(board())
    one = board()
    one["data"][0]["appearances"] = round(one["data"][0]["appearances"] * 0.49)
    landing = bench.feed(one)
    assert (landing.validation_status, landing.is_served) == ("revision", True)
    assert "'Model 0 (51%)'" in landing.reason
    landing = bench.feed(board(votes=-300))
    assert (landing.validation_status, landing.is_served) == ("revision", True)
    assert "votes withdrawn" in landing.reason


def test_a12_votes_that_are_all_gone_are_no_revision(bench: Any, board: Board) -> None:
    bench.feed(board())
    page = board(shift=1)
    for entry in page["data"]:
        entry["appearances"] = 0
    assert "the votes are gone" in unserved(bench, page, "suspicious")
    for entry in page["data"]:
        entry["appearances"] = None
    assert "appearances is missing now for 60 of 60" in bench.feed(page).reason


def published(**ratings: float) -> dict[str, Any]:
    """Return a made-up history of Arena's dataset: publications with the rating of their leader."""
    return {
        "rows": [
            {
                "leaderboard_publish_date": day.replace("_", "-").removeprefix("d"), "category": "overall", "rank": n + 1,
                "model_name": f"m{n}", "organization": f"o{n % 5}", "license": "l", "rating": (top - 7 * n) * factor,
                "rating_lower": (top - 7 * n) * factor - 9, "rating_upper": (top - 7 * n) * factor + 9, "variance": 20.0, "vote_count": 900 + n,
            }
            for day, top in ratings.items()
            for factor in (0.001 if top < 0 else 1,)
            for top in (abs(top),)
            for n in range(30)
        ]
    }  # fmt: skip


def test_a12_a_publication_that_is_published_again_is_a_revision_and_one_in_another_unit_is_not(
    place: Settings, source: Callable[[str], Source], bench_of: Any
) -> None:
    bench = bench_of(place, source("arena_dataset"))
    first = bench.feed(published(d2026_01_10=1500, d2026_02_10=1501))
    assert (first.validation_status, first.reason) == ("ok", ""), "each publication has ranks of its own"
    assert bench.feed(published(d2026_01_10=1500, d2026_02_10=1501, d2026_02_20=1502)).validation_status == "ok"
    again = bench.feed(published(d2026_01_10=1504, d2026_02_10=1501, d2026_02_20=1502))
    assert (again.validation_status, again.is_served) == ("revision", True)
    assert "2026-01-10 has other values now: 30 of 30 rows" in again.reason
    wrong = bench.feed(published(d2026_01_10=-1504, d2026_02_10=1501, d2026_02_20=1502))
    assert (wrong.validation_status, wrong.is_served) == ("suspicious", False)
    assert "2026-01-10: rating is spread 0.001 times as wide" in wrong.reason


def test_a13_a_jump_is_noted_and_one_without_votes_is_quarantined(bench: Any, board: Board) -> None:
    bench.feed(board())
    jumped = board(votes=40)
    jumped["data"][9]["elo"] += 21
    landing = bench.feed(jumped)
    assert (landing.validation_status, landing.is_served) == ("ok", True)
    assert "'Model 9' moved by +21" in landing.reason
    still = copy.deepcopy(jumped)
    still["data"][4]["elo"] += 12
    assert "without a single new vote" in unserved(bench, still, "suspicious")


def test_a14_a_model_that_leaves_is_named_and_its_history_stays(bench: Any, board: Board) -> None:
    bench.feed(board())
    page = board()
    del page["data"][3]
    landing = bench.feed(page)
    assert landing.is_served
    assert "removed: 'Model 3'" in landing.reason
    assert [(row["id"], row["rank"]) for row in bench.rows() if row["id"] == "id-003"] == [("id-003", 4)]
    assert {row["rank"] for row in bench.rows() if row["id"] == "id-004"} == {5}


def test_a15_renamings_and_new_ids_are_reported_and_never_merged(bench: Any, board: Board) -> None:
    bench.feed(board())
    page = board()
    page["data"][2]["name"] = "Model 2 (January)"
    page["data"][8]["id"] = "id-new"
    page["data"][11]["name"] = page["data"][12]["name"] = "Same name"
    landing = bench.feed(page)
    assert landing.is_served
    assert "'Model 2' is now 'Model 2 (January)'" in landing.reason
    assert "a proposal for identity: 'Model 8'" in landing.reason
    assert len({row["id"] for row in bench.rows()}) == 61


def test_a15_keys_that_are_all_issued_again_are_quarantined(bench: Any, board: Board) -> None:
    bench.feed(board())
    page = board(votes=5)
    for entry in page["data"]:
        entry["id"] = entry["id"].upper()
    assert "the keys were issued again: 60 of the 60" in unserved(bench, page, "suspicious")


def test_a15_a_table_brought_in_under_another_platforms_name_is_quarantined(
    place: Settings, source: Callable[[str], Source], bench_of: Any
) -> None:
    bench = bench_of(place, source("eu_active_recipients"))
    table = (bench.source.folder / "sample" / "tiktok.csv").read_bytes().replace(b"Some Service", b"TikTok")
    assert bench.feed(table, "tiktok").validation_status == "ok"
    landing = bench.feed(table.replace(b"TikTok", b"Instagram"), "tiktok")
    assert landing.validation_status == "suspicious"
    assert "the table is of 'Instagram', and was brought in as tiktok" in landing.reason


def test_a16_a_missing_rank_is_missing(bench: Any, board: Board) -> None:
    page = board()
    page["data"][6]["rank"] = None
    assert bench.feed(page).is_served
    assert [row["rank"] for row in bench.rows() if row["id"] == "id-006"] == [None]


def test_a17_ranks_that_contradict_the_ratings_are_flagged(bench: Any, board: Board) -> None:
    tied, gapped, crossed = board(), board(), board()
    tied["data"][1]["rank"] = 1
    gapped["data"][59]["rank"] = 99
    crossed["data"][0]["rank"], crossed["data"][1]["rank"] = 2, 1
    assert "is shared by" in bench.feed(tied).reason
    assert "has gaps" in bench.feed(gapped).reason
    assert "contradicts elo in 1 places" in bench.feed(crossed).reason
    assert [landing.is_served for landing in bench.landed] == [True, True, True], "beyond three places they are held back"


@pytest.mark.parametrize(("written", "word"), [("2031-01", "future"), ("2011-05", "earlier than 2015"), ("0001-01", "earlier")])
def test_a18_an_impossible_release_date_is_quarantined(bench: Any, board: Board, written: str, word: str) -> None:
    bench.feed(board())
    page = board()
    page["data"][1]["release_date"] = written
    assert word in unserved(bench, page, "suspicious")


@pytest.mark.parametrize("written", ["2025-02-31", "2025-13", "2025-13-01T00:00:00", "soon", "31/12/2025"])
def test_a18_a_day_that_does_not_exist_is_left_out_and_told(bench: Any, board: Board, written: str) -> None:
    page = board()
    page["data"][1]["release_date"] = written
    landing = bench.feed(page)
    assert landing.is_served
    assert "not seen before, and left out" in landing.reason
    assert [row["release_date"] for row in bench.rows() if row["id"] == "id-001"] == [None], "a build would stop at such a day"


def test_a18_a_release_date_that_changed_waits_for_a_person(bench: Any, board: Board) -> None:
    bench.feed(board())
    page = board()
    page["data"][1]["release_date"] = "2025-07"
    landing = bench.feed(page)
    assert (landing.validation_status, landing.is_served) == ("suspicious", False)
    assert "release_date is another for 1 of 60 known rows ('Model 1')" in landing.reason


def test_a19_one_poisoned_rating_is_found_and_what_cannot_be_found_is_bounded(bench: Any, board: Board) -> None:
    bench.feed(board())
    page = board(votes=40)
    page["data"][30]["elo"] *= 2
    assert "'Model 30' moved by +1090 against the others; at most" in unserved(bench, page, "suspicious")
    hidden = board(votes=40)
    hidden["data"][30]["elo"] += 55
    for rank, entry in enumerate(sorted(hidden["data"], key=lambda entry: -entry["elo"]), 1):
        entry["rank"] = rank
    landing = bench.feed(hidden)
    move = bench.source.tables["entries"].anomaly_checks.score
    assert move is not None
    assert landing.is_served
    assert "moved by +55" in landing.reason, "what passes is reported; no single entry can be moved further than this in a day"
    assert move.move.max == 60


def test_a20_the_same_for_long_is_stale_and_not_fresh(
    place: Settings, source: Callable[[str], Source], board: Board, bench_of: Any
) -> None:
    bench = bench_of(place, source("aa_api"))
    for _ in range(2):
        bench.feed(board())
    state = states(place, [bench.source], bench.day)[0]
    assert (state.request, state.state) == ("text_to_video", "unchanged")
    for _ in range(5):
        bench.feed(board())
    assert states(place, [bench.source], bench.day)[0].state == "stale"
    bench.feed(board(votes=5))
    assert states(place, [bench.source], bench.day)[0].state == "fresh"
    assert states(place, [bench.source], date(2026, 9, 1))[0].state == "silent"


def test_a21_the_hash_of_the_content_wins_over_what_headers_say(bench: Any, board: Board) -> None:
    first, second = json.dumps(board()), json.dumps(board(votes=30, shift=1))
    assert bench.feed(first).validation_status == "ok"
    assert bench.feed(first).validation_status == "unchanged"
    assert bench.feed(second).validation_status == "ok"
    reason = unserved(bench, first, "suspicious")
    assert "an old copy" in reason
    assert bench.feed(second).validation_status == "unchanged"


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><html><body>Log in</body></html>",
        "\n\n  <html><title>Just a moment...</title>",
        "\ufeff<HTML><body>Before you continue: consent",
        "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        "<script>challenge()</script>",
    ],
)
def test_a22_a_page_sold_as_json_is_never_read_as_data(bench: Any, board: Board, page: str) -> None:
    bench.feed(board())
    assert "HTML or XML page" in unserved(bench, page.encode(), "error")


def test_a22_every_source_tells_a_page_from_data(place: Settings, source: Callable[[str], Source], bench_of: Any) -> None:
    for name in (
        "aa_api",
        "aa_web",
        "arena_dataset",
        "arena_web",
        "epoch_models",
        "eu_active_recipients",
        "huggingface_models",
        "tiktok_enforcement",
    ):
        bench = bench_of(place, source(name))
        landing = bench.feed(b"<!DOCTYPE html><html><body>Log in</body></html>", next(iter(bench.source.fetch.requests)))
        assert landing.validation_status == "error"
        assert "HTML or XML page" in landing.reason, name


@pytest.mark.parametrize(
    "body", ['{"error":"API key is required"}', '{"message":"requires a Pro subscription"}', '{"detail": {"code": 7}}']
)
def test_an_error_message_stored_as_data_is_told_apart(bench: Any, board: Board, body: str) -> None:
    bench.feed(board())
    assert "an error message in place of data" in unserved(bench, body, "error")


def test_an_answer_with_an_error_status_is_evidence_whatever_it_holds(bench: Any, board: Board) -> None:
    bench.feed(board())
    landing = bench.feed(board(votes=3), status=500)
    assert (landing.validation_status, landing.is_served) == ("error", False)
    assert "HTTP 500" in landing.reason


@pytest.mark.parametrize("shift", [200, -180, -1000])
def test_a_new_anchor_is_a_revision_and_is_served_at_once(bench: Any, board: Board, shift: int) -> None:
    bench.feed(board())
    landing = bench.feed(board(shift=shift, votes=10))
    assert landing.is_served, landing.reason
    assert landing.validation_status == "revision"
    assert "re-anchored" in landing.reason
    assert bench.feed(board(shift=shift, votes=20)).validation_status == "ok"


def test_two_requests_with_one_response_are_quarantined(bench: Any, board: Board) -> None:
    bench.feed(board(), "text_to_video")
    landing = bench.feed(board(), "image_to_video")
    assert landing.validation_status == "suspicious"
    assert "two requests, one response" in landing.reason


def test_after_a_fault_is_gone_the_result_is_as_if_it_had_never_been(
    tmp_path: Path, source: Callable[[str], Source], board: Board, bench_of: Any
) -> None:
    """Invariant I4: the served rows are the same with and without the bad answers in between."""

    def served(bodies: list[Any]) -> list[dict[str, Any]]:
        bench = bench_of(
            Settings(Path(__file__).resolve().parents[2], tmp_path / str(len(list(tmp_path.iterdir())))), source("aa_api")
        )
        for body in bodies:
            if body is None:
                bench.day = date.fromordinal(bench.day.toordinal() + 1)
            else:
                bench.feed(body)
        return bench.rows()

    good = [board(), board(votes=20), board(votes=40, shift=1)]
    bad = {"data": []}
    assert served([good[0], bad, good[1], "<html>", good[2]]) == served([good[0], None, good[1], None, good[2]])


def test_an_accepted_snapshot_is_served_by_a_decision_in_the_data_folder_or_in_the_content_tree(
    tmp_path: Path, source: Callable[[str], Source], board: Board, bench_of: Any
) -> None:
    from datamoat.ingest.decisions import Choice, Decision, read_decisions, write_decision, write_mirror

    settings = Settings(tmp_path / "content", tmp_path / "data")
    (tmp_path / "content/data/reference").mkdir(parents=True)
    bench = bench_of(settings, source("aa_api"))
    bench.feed(board())
    halved = bench.feed(board(drop=15))
    assert halved.validation_status == "suspicious"
    when, why = datetime(2026, 3, 3, 8, tzinfo=UTC), 'halved, "so\nthey say" (ann@example.org, +49 30 1234 567)'
    record = write_decision(settings, Decision(halved.snapshot_id, halved.sha256, Choice.ACCEPT, when, "ann@example.org", why))

    def status() -> tuple[str, bool, str]:
        land_source(settings, bench.source)
        now = next(landing for landing in read_landings(settings, bench.source) if landing.snapshot_id == halved.snapshot_id)
        return now.validation_status, now.is_served, now.reason

    public = 'halved, "so they say" ([address], [address])'
    accepted = status()
    assert accepted[:2] == ("revision", True)
    assert f"accepted on 2026-03-03 by ann: {public}" in accepted[2]
    assert write_mirror(settings)[1] == 1
    record.unlink()
    assert status() == accepted, "git has the decision too"
    known = read_decisions(settings, "aa_api")[halved.snapshot_id]
    assert (known.decided_by, known.reason, known.decided_at) == ("ann", public, when)
    assert bench.feed(board(drop=15, votes=9)).validation_status == "ok", "the accepted vintage is the new measure"


def test_raw_tables_are_there_and_typed_before_anything_was_fetched(place: Settings, source: Callable[[str], Source]) -> None:
    tables = raw_relations(place, [source("aa_api"), source("epoch_models")])
    assert tables["aa_api__entries"].paths == []
    assert tables["aa_api__entries"].columns["elo"] == "DOUBLE"
    assert tables["epoch_models__models"].columns["_captured_on"] == "DATE"


def test_snapshots_are_kept_once_and_receipts_every_day(bench: Any, board: Board) -> None:
    for _ in range(3):
        bench.feed(board())
    store = Snapshots(bench.settings.snapshots, "aa_api")
    assert len(store.of("text_to_video")) == 3
    assert len({receipt.body for receipt in store.of()}) == 1
    assert len(list((bench.settings.snapshots / "aa_api").rglob("*.json"))) == 4


@pytest.mark.parametrize(
    ("written", "kept"), [("Apr 2025", "2025-04"), ("2025-04-07T00:00:00Z", "2025-04-07"), ("spring", None), ("2025-13", None)]
)
def test_a_release_date_written_otherwise_is_read_or_left_out_with_a_note(
    bench: Any, board: Board, written: str, kept: str | None
) -> None:
    page = board()
    page["data"][1]["release_date"] = written
    landing = bench.feed(page)
    assert landing.is_served, landing.reason
    assert [row["release_date"] for row in bench.rows() if row["id"] == "id-001"] == [kept]
    assert ("left out" in landing.reason) == (kept is None)


def test_a03_a_list_shorter_than_the_answer_says_is_quarantined_however_little_is_missing(
    place: Settings, source: Callable[[str], Source], bench_of: Any
) -> None:
    bench = bench_of(place, source("arena_web"))
    entry = {"rank": 1, "vendor": "S", "license": "p", "ci": 9}
    models = [
        {**entry, "rank": n + 1, "model": f"m{n}", "vendor": f"S{n % 4}", "score": 1400 - 5 * n, "votes": 500 + n}
        for n in range(40)
    ]
    assert bench.feed({"meta": {"model_count": 40}, "models": models}).validation_status == "ok"
    landing = bench.feed({"meta": {"model_count": 40}, "models": models[:39]})
    assert landing.validation_status == "suspicious"
    assert "declares 40 entries and lists 39" in landing.reason
    landing = bench.feed({"meta": {"model_count": 40}, "models": models[:20]})
    assert "expected" in landing.reason
    assert "lists 20" in landing.reason


def test_what_is_on_record_of_a_landing_is_compared_whole(bench: Any, board: Board) -> None:
    body = json.dumps(board()).encode()
    ok = bench.feed(body)
    same = bench.feed(body)
    error = bench.feed({"error": "no key"})
    sha256 = hashlib.sha256(body).hexdigest()
    assert ok == Landing(
        f"aa_api/text_to_video/2026-03-01/{sha256[:12]}", "aa_api", "text_to_video", date(2026, 3, 1), datetime(2026, 3, 1, 6, tzinfo=UTC),
        Status.OK, True, "", 60, len(body), sha256, "https://example.org/", ok.rows_sha256, ok.core_sha256, ok.files,
    )  # fmt: skip
    (file,) = ok.files.values()
    own = hashlib.sha256((bench.settings.lake / "raw" / file).read_bytes()).hexdigest()
    assert file == f"aa_api/entries/text_to_video/2026-03-01-{sha256[:12]}-{own[:12]}.parquet"
    assert (same.validation_status, same.is_served, same.n_rows, same.reason) == (
        "unchanged",
        True,
        60,
        "the same bytes as on 2026-03-01",
    )
    assert (same.rows_sha256, same.core_sha256) == (ok.rows_sha256, ok.core_sha256)
    assert (error.validation_status, error.is_served, error.n_rows, error.rows_sha256, error.files) == ("error", False, 0, "", {})
    rows = landing_rows(bench.settings, [bench.source])
    assert [row["snapshot_id"] for row in rows] == [one.snapshot_id for one in (ok, same, error)]
    assert rows[0] == {
        "snapshot_id": ok.snapshot_id, "source_id": "aa_api", "request": "text_to_video", "captured_on": date(2026, 3, 1),
        "retrieved_at": datetime(2026, 3, 1, 6), "validation_status": "ok", "is_served": True, "reason": "", "n_rows": 60,  # noqa: DTZ001
        "n_bytes": len(body), "sha256": sha256, "url": "https://example.org/",
    }  # fmt: skip
    assert str(land_all(bench.settings, [bench.source])) == "3 snapshots, nothing new"
    assert forget(bench.settings, bench.source, date(2026, 3, 3)) == 1
    again = land_all(bench.settings, [bench.source])
    assert str(again) == f"3 snapshots, 1 error\n  {error.snapshot_id}: error: {error.reason}"
    assert (again.landed, again.n_known, again.refused) == ((error,), 2, (error,))
    assert read_landings(bench.settings, bench.source) == [ok, same, error]
