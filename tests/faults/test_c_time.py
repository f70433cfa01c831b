"""Faults C01 to C04: clocks that are wrong, facts that are late, runs that are repeated, doubled or out of order."""

import itertools
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Response
from werkzeug.serving import WSGIRequestHandler

from datamoat.errors import UsageError
from datamoat.ingest.fetch import fetch_source
from datamoat.ingest.inbox import bring_in
from datamoat.ingest.land import land_source
from datamoat.ingest.landings import landing_rows, read_landings
from datamoat.ingest.source_state import states
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.snapshots import Snapshots

OLD = "/api/v2/data/media/text-to-video"
TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def servers_date(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the date that the server states; without it the server states the machine's."""

    def say(text: str) -> None:
        monkeypatch.setattr(WSGIRequestHandler, "date_time_string", lambda *_: text)

    return say


@pytest.mark.parametrize("ours", [TODAY + timedelta(days=3650), TODAY - timedelta(days=1)], ids=["ten years on", "a day back"])
def test_c01_a_wrong_clock_is_noticed_and_nothing_seems_to_come_from_the_future(
    upstream: Any, place: Settings, source: Callable[[str], Source], board: Any, servers_date: Any, ours: datetime
) -> None:
    servers_date(format_datetime(TODAY, usegmt=True))
    upstream.expect_request(OLD).respond_with_json(board())
    api = source("aa_api")
    fetch_source(place, api, "text_to_video", clock=lambda: ours)
    landing = land_source(place, api)[0][0]
    assert landing.captured_on == min(ours, TODAY).date()
    assert "clock suspicious" in landing.reason


@pytest.mark.parametrize(("hours", "is_noted"), [(12, False), (12.01, True), (-12, False), (-12.01, True)])
def test_c01_a_clock_may_differ_by_twelve_hours_from_the_publishers(
    upstream: Any, place: Settings, source: Callable[[str], Source], servers_date: Any, hours: float, is_noted: bool
) -> None:
    servers_date(format_datetime(TODAY, usegmt=True))
    upstream.expect_request(OLD).respond_with_data("[]")
    fetch_source(place, source("aa_api"), "text_to_video", clock=lambda: TODAY + timedelta(hours=hours))
    (receipt,) = Snapshots(place.snapshots, "aa_api").of()
    assert (receipt.clock_note is not None) is is_noted
    assert receipt.retrieved_at == TODAY + timedelta(hours=min(hours, 0) if is_noted else hours)


def test_c01_a_clock_that_went_back_is_noticed_without_a_server_to_compare(
    upstream: Any, place: Settings, source: Callable[[str], Source], board: Any, servers_date: Any
) -> None:
    servers_date("no date")
    votes = itertools.count()
    upstream.expect_request(OLD).respond_with_handler(
        lambda _: Response(json.dumps(board(votes=next(votes))), 200, content_type="application/json")
    )
    api = source("aa_api")
    fetch_source(place, api, "text_to_video", clock=lambda: TODAY)
    fetch_source(place, api, "text_to_video", clock=lambda: TODAY - timedelta(days=3))
    land_source(place, api)
    notes = {landing.captured_on: landing.reason for landing in read_landings(place, api)}
    assert "clock suspicious" in notes[(TODAY - timedelta(days=3)).date()]
    state = states(place, [api], date(2026, 11, 20))[0]
    assert state.state == "clock suspicious"


def test_c01_the_machines_time_zone_changes_nothing(
    place: Settings, source: Callable[[str], Source], board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    ids = []
    for zone in ("UTC", "Pacific/Kiritimati", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        store = Snapshots(place.snapshots / zone.replace("/", "_"), "aa_api")
        moment = datetime(2026, 3, 8, 2, 30, tzinfo=UTC)
        ids.append(store.store("text_to_video", b"{}", retrieved_at=moment, url="x", route="http", extension="json").snapshot_id)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert len(set(ids)) == 1
    assert "/2026-03-08/" in ids[0]


def test_c02_an_answer_that_arrives_late_takes_its_place_in_time(
    place: Settings, source: Callable[[str], Source], board: Any, tmp_path: Path
) -> None:
    api = source("aa_api")
    for day, votes in (("2026-03-10", 40), ("2026-03-01", 0), ("2026-03-05", 20)):
        path = tmp_path / f"{day}.json"
        path.write_text(json.dumps(board(votes=votes)))
        bring_in(place, api, "text_to_video", path, day)
        land_source(place, api)
    landings = read_landings(place, api)
    assert [landing.captured_on.isoformat() for landing in landings] == ["2026-03-01", "2026-03-05", "2026-03-10"]
    assert [landing.validation_status for landing in landings] == ["ok", "ok", "ok"], (
        "validated in order of time, whatever arrived first"
    )


def test_a_file_that_is_brought_in_is_stored_under_its_own_ending_in_small_letters(
    place: Settings, source: Callable[[str], Source], board: Any, tmp_path: Path
) -> None:
    for votes, (name, ending) in enumerate((("a.JSON", ".json"), ("without", ".bin"), ("odd.j-s", ".bin"))):
        (tmp_path / name).write_text(json.dumps(board(votes=votes)))
        found = bring_in(place, source("aa_api"), "text_to_video", tmp_path / name, "2026-03-01")
        assert Path(Snapshots(place.snapshots, "aa_api").get(found.snapshot_ids[0]).body).suffix == ending


def test_c03_landing_again_and_in_any_order_gives_the_same_log(
    tmp_path: Path, source: Callable[[str], Source], board: Any, bench_of: Any
) -> None:
    bodies = [board(), board(votes=10), {"data": []}, board(votes=20, shift=2), board(votes=-200), board(votes=-190, shift=2)]
    api = source("aa_api")
    logs = []
    for order in itertools.islice(itertools.permutations(range(len(bodies))), 0, 720, 90):
        settings = Settings(Path(__file__).resolve().parents[2], tmp_path / "-".join(map(str, order)))
        for index in order:
            Snapshots(settings.snapshots, "aa_api").store(
                "text_to_video",
                json.dumps(bodies[index]).encode(),
                retrieved_at=datetime(2026, 3, 1 + index, tzinfo=UTC),
                url="x",
                route="http",
                extension="json",
            )
            if random.Random(index).random() < 0.5:  # noqa: S311
                land_source(settings, api)
        for _ in range(3):
            land_source(settings, api)
        kept = {path.name: path.read_bytes() for path in sorted((settings.lake / "raw").rglob("*.parquet"))}
        logs.append((landing_rows(settings, [api]), kept))
    assert all(log[0] == logs[0][0] for log in logs)
    assert all(log[1] == logs[0][1] for log in logs)


def test_c04_the_same_run_twice_writes_nothing(bench: Any, board: Any) -> None:
    bench.feed(board())
    before = {path: path.stat().st_mtime_ns for path in bench.settings.data.rglob("*") if path.is_file() and path.name != ".lock"}
    assert land_source(bench.settings, bench.source) == ([], 1)
    bench.day -= timedelta(days=1)
    bench.feed(board())
    assert {
        path: path.stat().st_mtime_ns for path in bench.settings.data.rglob("*") if path.is_file() and path.name != ".lock"
    } == before


def test_c04_two_answers_of_one_day_are_both_kept_and_one_is_served(bench: Any, board: Any) -> None:
    bench.feed(board(), days=0)
    bench.feed(board(votes=15), days=0)
    bench.feed({"data": []}, days=0)
    landings = read_landings(bench.settings, bench.source)
    assert len(landings) == 3
    assert len(bench.served()) == 1
    assert len(bench.rows()) == 60


def test_an_archived_answer_needs_a_day_that_exists_and_is_not_tomorrow(
    place: Settings, source: Callable[[str], Source], tmp_path: Path
) -> None:
    api, file = source("aa_api"), tmp_path / "x.json"
    file.write_text("{}")
    for wrong in (None, "2026-13-01", "yesterday", "2999-01-01"):
        with pytest.raises(UsageError):
            bring_in(place, api, "text_to_video", file, wrong)
    with pytest.raises(UsageError):
        bring_in(place, api, "no_such_request", file, "2026-01-01")
    with pytest.raises(UsageError):
        bring_in(place, api, "text_to_video", tmp_path / "{date}" / "x.json")
    with pytest.raises(UsageError):
        bring_in(place, api, "text_to_video", tmp_path / "missing.json", "2026-01-01")


def test_a_history_comes_in_by_a_pattern_in_order_of_date(
    place: Settings, source: Callable[[str], Source], tmp_path: Path, board: Any
) -> None:
    for name in ("2026-03-02", "2026-03-01", "2026-03-01T0402Z-no-key", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.json").write_text(
            json.dumps({"error": "no key"} if "key" in name else board(votes=int(name[9:10] or 0) if name != "notes" else 0))
        )
    (tmp_path / "2026-03-04.json").write_text(json.dumps(board(votes=9)))
    api = source("aa_api")
    report = bring_in(place, api, "text_to_video", str(tmp_path / "{date}" / "t.json"))
    assert [outcome.snapshot_id.split("/")[2] for outcome in report.outcomes if outcome.snapshot_id] == [
        "2026-03-01",
        "2026-03-01",
        "2026-03-02",
    ]
    report = bring_in(place, api, "text_to_video", str(tmp_path / "{date}.json"))
    assert [outcome.snapshot_id.split("/")[2] for outcome in report.outcomes if outcome.snapshot_id] == ["2026-03-04"]
