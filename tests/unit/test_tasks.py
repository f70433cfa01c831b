"""The tasks as a scheduler calls them: run twice they do nothing twice, and they do not get in each other's way."""

import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Response

from datamoat.build.run import build_models
from datamoat.errors import NoRoomError, PublishRefusedError, SourceChangedError
from datamoat.ingest.fetch import fetch_source
from datamoat.ingest.inbox import bring_in, take_inbox
from datamoat.ingest.land import land_source
from datamoat.ingest.landings import read_landings
from datamoat.orchestration import hosts, metrics, notify, quarantine, tasks
from datamoat.project.read import read_project
from datamoat.project.scaffold import write_source
from datamoat.project.sources import find_source
from datamoat.publish.audit import audit_build
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings
from datamoat.storage.files import BusyError, one_client, one_lander, one_writer, part_of
from datamoat.storage.snapshots import Snapshots

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATAMOAT_ROOT", str(settings.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(settings.data))
    write_source(settings, "example_board")
    words = settings.content / "transforms" / "columns.yml"
    more = "entry_name: {type: VARCHAR, description: An entry.}\ncaptured_on: {type: DATE, description: Its day.}\nsnapshot_id: {type: VARCHAR, description: Its snapshot.}\nvalue: {type: DOUBLE, description: Its value.}\n"
    words.write_text(words.read_text() + more)
    return settings


def publish(settings: Settings) -> str:
    project = read_project(settings.content)
    build_models(settings, project)
    audit_build(settings, project)
    return publish_warehouse(settings, project).build_id


def put(settings: Settings, day: str, n: int = 3) -> None:
    folder = settings.data / "inbox" / "example_board" / "entries"
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"name": f"Entry {number}", "value": float(number)} for number in range(n)]
    (folder / f"{day}.json").write_text(json.dumps({"entries": listed}))


def test_what_is_landed_is_new_until_readers_have_seen_it(here: Settings, edit: Callable[[str, str, str], Path]) -> None:
    put(here, DAYS[0])
    assert tasks.fetch("example_board", DAYS[0])["responses"] == {"new": 1}
    assert [tasks.land("example_board")["is_new"], tasks.land("example_board")["is_new"]] == [True, True]
    assert tasks.land("reference")["is_new"]
    publish(here)
    assert [tasks.land("example_board")["is_new"], tasks.land("reference")["is_new"]] == [False, False]
    edit("data/reference/facts.csv", "5.0", "6.0")
    assert tasks.land("reference")["changed"] == ["reference/facts.csv"]


def test_a_day_brought_in_and_read_twice_is_the_same_day(here: Settings) -> None:
    for day in DAYS:
        put(here, day)
        tasks.fetch("example_board", day)
        tasks.land("example_board", day)
    source = find_source(here.content, "example_board")
    before = read_landings(here, source)
    assert [landing.captured_on.isoformat() for landing in before] == list(DAYS)
    assert tasks.fetch("example_board", DAYS[0])["snapshot_ids"] == []
    landed = tasks.land("example_board", DAYS[0])
    assert landed["n_read_now"] == 3  # what follows a day is validated again with it
    assert read_landings(here, source) == before


def test_files_of_the_inbox_that_name_no_day_are_left_alone(here: Settings) -> None:
    put(here, DAYS[0])
    (here.data / "inbox" / "example_board" / "entries" / "readme.txt").write_text("notes")
    fetched = tasks.fetch("example_board", DAYS[1])
    assert (fetched["responses"], fetched["skipped"][0].split(";")[0]) == ({}, "entries/readme.txt: 'readme.txt' is not a day")
    assert tasks.fetch("example_board", DAYS[0])["responses"] == {"new": 1}


def test_a_quarantined_response_is_named_with_the_data_that_stay_live(here: Settings) -> None:
    for day, n in ((DAYS[0], 3), (DAYS[1], 0)):
        put(here, day, n)
        tasks.fetch("example_board", day)
        tasks.land("example_board")
    with pytest.raises(SourceChangedError, match="entries is quarantined since 2026-03-02, data of 2026-03-01 stay live"):
        tasks.validate("example_board")


def runs_of_history(days: Iterable[str]) -> dict[str, str]:
    """Do what `list_captures` and the runs of `land_capture` do, in an order of one's own; return the runs that failed."""
    assert {f"example_board|{day}" for day in days} == set(tasks.captures()["partitions"])
    failed = {}
    for day in days:
        tasks.land("example_board", day)
        try:
            tasks.validate("example_board", day)
        except SourceChangedError as failure:
            failed[day] = str(failure)
    return failed


@pytest.mark.parametrize("order", list(permutations(DAYS)))
def test_a_truncated_day_of_history_fails_its_own_run_in_whatever_order_the_runs_start(
    here: Settings, order: tuple[str, ...]
) -> None:
    for day, n in zip(DAYS, (100, 40, 100), strict=True):
        put(here, day, n)
    failed = runs_of_history(order)
    assert set(failed) == {DAYS[1]}
    assert f"entries of {DAYS[1]} is suspicious" in failed[DAYS[1]]


def test_a_later_day_that_turns_suspicious_fails_the_run_that_turned_it_and_a_person_is_called(here: Settings) -> None:
    put(here, DAYS[1], 40)
    assert runs_of_history([DAYS[1]]) == {}
    assert quarantine.undecided("example_board") == []
    (here.data / "inbox" / "example_board" / "entries" / f"{DAYS[1]}.json").unlink()
    put(here, DAYS[0], 100)
    failed = runs_of_history([DAYS[0]])
    assert f"entries of {DAYS[1]} is suspicious" in failed[DAYS[0]]
    assert [one["trigger_run_id"] for one in quarantine.undecided("example_board")] == [f"example_board.entries.{DAYS[1]}"]


def test_a_build_that_is_not_this_run_s_is_not_published(here: Settings) -> None:
    publish(here)
    before = here.published.read_bytes()
    with pytest.raises(PublishRefusedError, match="this run is about build 20260101-00000000"):
        tasks.publish("20260101-00000000")
    assert here.published.read_bytes() == before


def test_a_sweep_spares_the_folder_of_a_source_that_is_being_fetched(here: Settings) -> None:
    folder = here.snapshots / "example_board"
    with one_client(folder):
        part = part_of(folder / "answer.json")
        part.write_text("half")
        with one_writer(here.data, "build"):
            assert part.exists()
        with pytest.raises(BusyError, match="another process is fetching example_board"), one_client(folder):
            pass
    with one_writer(here.data, "build"):
        assert not part.exists()


def test_a_source_is_brought_in_beside_a_build(here: Settings, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text('{"entries": [{"name": "a", "value": 1}]}')
    with one_writer(here.data, "build"):
        assert bring_in(here, "example_board", "entries", path, DAYS[0]).snapshot_ids != []


def test_a_landing_does_not_wait_for_a_build_and_waits_for_another_landing(here: Settings) -> None:
    put(here, DAYS[0])
    with one_writer(here.data, "build"):
        tasks.fetch("example_board", DAYS[0])
        part = part_of(here.lake / "raw" / "example_board" / "x.parquet")
        part.parent.mkdir(parents=True)
        with one_lander(here.lake / "raw"):
            part.write_text("half")
            with pytest.raises(BusyError, match="another process is landing"), one_lander(here.lake / "raw", 0.0):
                pass
        assert part.exists()
        assert tasks.land("example_board")["n_rows"] == 3
        assert not part.exists()


def test_a_writer_spares_what_another_process_lands(here: Settings) -> None:
    part = part_of(here.lake / "raw" / "example_board" / "x.parquet")
    part.parent.mkdir(parents=True)
    part.write_text("half")
    with one_writer(here.data, "build"):
        assert part.exists()


def test_a_build_is_refused_while_there_is_room_for_the_alert_and_the_alert_is_one(
    here: Settings, monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]]
) -> None:
    publish(here)
    monkeypatch.setenv("DATAMOAT_ROOM_GB", "999999")
    for task in (tasks.build, tasks.export, tasks.release, tasks.build):
        with pytest.raises(NoRoomError, match="and a build needs 999999 GB"):
            task()
    monkeypatch.delenv("DATAMOAT_ROOM_GB")
    assert tasks.watch_state()["disk"] == "good"
    alerts = [event["alert"] for event in events if event["event"] == "alert"]
    assert [alert.split(",")[0].split(": ")[0] for alert in alerts] == ["free disk", "free disk"]
    assert alerts[1] == "free disk: good again"
    monkeypatch.setenv("DATAMOAT_DATA", str(here.data / "not" / "yet"))
    assert tasks.watch_state()["disk"] == "good"


def test_the_hourly_look_sends_what_no_channel_took(here: Settings, httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(notify.WEBHOOK, "http://127.0.0.1:1/")
    notify.late({"dag_run": {"dag_run_id": "r", "state": "failed"}}, dag_id="x")
    httpserver.expect_request("/hook", method="POST").respond_with_data("")
    monkeypatch.setenv(notify.WEBHOOK, httpserver.url_for("/hook"))
    for _ in range(2):
        tasks.watch_state()
    assert [json.loads(request.get_data())["text"].split(";")[0] for request, _ in httpserver.log] == [
        "datamoat: x failed in run r"
    ]


def test_what_is_measured_arrives_at_a_collector(here: Settings, httpserver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
    httpserver.expect_request("/v1/metrics", method="POST").respond_with_data("", content_type="application/x-protobuf")
    assert not tasks.watch_state()["measured"]  # no collector is named
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", httpserver.url_for("").rstrip("/"))
    put(here, DAYS[0])
    tasks.fetch("example_board", DAYS[0])
    tasks.land("example_board")
    assert tasks.watch_state()["measured"]
    made = tasks.build()
    assert tasks.audit(made["build_id"])["n_checks"] > 5
    found = {}
    for request, _ in httpserver.log:
        body = service.ExportMetricsServiceRequest.FromString(request.get_data())
        for metric in body.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.gauge.data_points:
                found[metric.name, *(one.value.string_value for one in point.attributes)] = point.as_double or point.as_int
    assert found["datamoat.disk.free",] > 1e6
    assert found["datamoat.source.age", "example_board"] > 30
    assert found["datamoat.source.withheld", "example_board"] == 0
    assert found["datamoat.step.duration", "build"] > 0
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(metrics, "SECONDS", 0.3)
    assert not tasks.watch_state()["measured"]  # and nothing fails


def test_logs_and_marks_of_long_ago_are_removed_and_nothing_else(here: Settings) -> None:
    home = here.data / "airflow"
    old = [home / "logs" / "dag_id=x" / "run_id=1" / "attempt=1.log", home / "alerts" / "run-1"]
    stay = [home / "logs" / "dag_id=x" / "run_id=2" / "attempt=1.log", home / "alerts" / "condition-1", home / "logs" / "scheduler.log", home / "airflow.db"]  # fmt: skip
    for path in (*old, *stay):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        if path != stay[0]:
            os.utime(path, (1_700_000_000, 1_700_000_000))
    assert tasks.tidy() == {"removed": 2}
    assert [path.exists() for path in (*old, *stay)] == [False] * 2 + [True] * 4
    assert not old[0].parent.exists()


def named(value: Any) -> Any:
    """Return facts with each build and hash replaced by what it is."""
    return json.loads(re.sub(r"[0-9a-f]{64}", "SHA256", re.sub(r"\d{8}-[0-9a-f]{8}", "BUILD", json.dumps(value, default=str))))


def test_each_task_returns_what_it_did_whole(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, n in ((DAYS[0], 3), (DAYS[1], 0)):
        put(here, day, n)
    assert tasks.captures() == {"partitions": [f"example_board|{day}" for day in DAYS[:2]], "skipped": []}
    assert tasks.captures("another") == {"partitions": [], "skipped": []}
    ids = [one.snapshot_id for one in Snapshots(here.snapshots, "example_board").of()]
    assert tasks.fetch("example_board", DAYS[0]) == {
        "source_id": "example_board", "n_requests": 0, "responses": {"unchanged": 1}, "snapshot_ids": [],
    }  # fmt: skip
    assert tasks.fetch("example_board", dry_run=True)["responses"] == {"planned": 1}
    landed = {
        "source_id": "example_board", "snapshot_ids": ids, "statuses": {"ok": 1, "suspicious": 1}, "n_rows": 3, "n_read_now": 2, "is_new": True,
    }  # fmt: skip
    assert tasks.land("example_board") == landed
    assert tasks.land("example_board") == landed | {"n_read_now": 0}
    assert tasks.validate("example_board", DAYS[0]) == {"source_id": "example_board", "states": {"entries": "ok"}}
    reference = tasks.land("reference")
    assert {**reference, "changed": len(reference["changed"])} == {
        "source_id": "reference", "n_files": 1, "n_rows": 2, "changed": len(set(reference["changed"])), "is_new": True,
    }  # fmt: skip
    made = tasks.build()
    assert named(made) == {"build_id": "BUILD", "as_of": "2026-05-01", "n_tables": 5, "n_rows": 3}
    audited = tasks.audit(made["build_id"])
    assert (audited["build_id"], audited["warnings"]) == (made["build_id"], [])
    published = tasks.publish(made["build_id"])
    size = here.published.stat().st_size
    assert published == {"build_id": made["build_id"], "as_of": "2026-05-01", "n_bytes": size, "is_new": True}
    assert not tasks.publish(made["build_id"])["is_new"]
    assert tasks.land("example_board") == {
        "source_id": "example_board", "snapshot_ids": [], "statuses": {}, "n_rows": 0, "n_read_now": 0, "is_new": False,
    }  # fmt: skip
    assert tasks.land("reference") == {"source_id": "reference", "n_files": 1, "n_rows": 2, "changed": [], "is_new": False}
    exported = tasks.export()
    files = [path for path in (here.exports / exported["export"]).rglob("*") if path.is_file()]
    assert exported == {
        "export": f"datamoat-{made['build_id']}", "n_files": len(files), "n_bytes": sum(path.stat().st_size for path in files), "removed": [],
    }  # fmt: skip
    monkeypatch.setattr(tasks, "measure", lambda gauges: [gauge[:2] for gauge in gauges])
    watched = tasks.watch_state()
    assert watched == {
        "disk": "good", "silent": {}, "pinged": False,
        "measured": [("disk.free", "By"), ("source.age", "d"), ("source.withheld", "{request}")],
    }  # fmt: skip


def test_a_person_reads_what_a_quarantine_would_change_and_the_decision_is_recorded_whole(here: Settings) -> None:
    for day, n in ((DAYS[0], 100), (DAYS[1], 60)):
        put(here, day, n)
        tasks.fetch("example_board", day)
        tasks.land("example_board")
    (waiting,) = quarantine.undecided("example_board")
    snapshot = waiting["conf"]["snapshot_id"]
    assert waiting == {"trigger_run_id": f"example_board.entries.{DAYS[1]}", "conf": {"snapshot_id": snapshot}}
    shown = quarantine.describe(snapshot)
    assert shown["title"] == f"example_board: entries of {DAYS[1]}"
    first, why, changes, table, last = shown["text"].split("\n\n")
    assert first == f"Example board: the response of {DAYS[1]} to `entries` failed validation and is not served."
    assert why.startswith(
        "**Why:** a truncated list\\: 60 rows, expected 90 to 120; 40 of the 100 known on 2026\\-03\\-01 are missing"
    )
    assert changes == (
        "**What changes if it is accepted** (40 changes, the first 30 of them; `datamoat plan example_board --json` lists all):"
    )
    lines = table.splitlines()
    assert lines[:3] == [
        "| table | change | key | column | served | offered |", "|---|---|---|---|---|---|",
        "| entries | gone | Entry 60 |  | Entry 60 |  |",
    ]  # fmt: skip
    assert len(lines) == 32
    assert last.startswith("**Accept** serves it and starts a build. **Keep** leaves it in quarantine.")
    for choice, status in (("keep", "suspicious"), ("Accept", "revision")):
        facts = quarantine.record(snapshot, choice, "ann@example.org", "as the publisher reports")
        assert {**facts, "sha256": "", "decided_at": ""} == {
            "snapshot_id": snapshot, "sha256": "", "choice": choice.lower(), "decided_at": "", "decided_by": "ann",
            "reason": "as the publisher reports", "validation_status": status, "is_new": choice == "Accept",
        }  # fmt: skip
        assert quarantine.undecided("example_board") == []


def test_a_task_that_does_not_see_what_an_earlier_one_left_is_refused_by_name(
    here: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(here, DAYS[0])
    fetched = tasks.fetch("example_board", DAYS[0])
    place = hosts.place()
    assert place == hosts.place() == {"host": socket.gethostname(), "folder": place["folder"], "store": place["folder"]}
    assert json.loads((here.data / hosts.NOTE).read_text())["host"] == socket.gethostname()
    assert sorted(path.name for path in here.data.glob(".folder*")) == [hosts.NOTE]
    for check in (hosts.check_folder, hosts.check_store):
        assert check() == check(None) == check(place, None) == check({"host": "of an earlier version"}) == place
    before = fetched | place
    assert hosts.check_fetched("example_board", before) == hosts.check_fetched("example_board", None) == place
    lost = before | {
        "host": "other",
        "snapshot_ids": [*fetched["snapshot_ids"], "example_board/entries/x", "example_board/entries/y"],
    }
    with pytest.raises(PublishRefusedError, match=f"2 of the snapshots stored on other are not here on {place['host']}: .*/x"):
        hosts.check_fetched("example_board", lost)
    for check, what, queue in ((hosts.check_folder, "folder", "queue `writer`"), (hosts.check_store, "store", "DATAMOAT_STORE")):
        with pytest.raises(
            PublishRefusedError, match=f"ran on a with {what} z, and this is .* with {what} {place['folder']}"
        ) as refused:
            check(place, place | {"host": "a", what: "z"})
        assert queue in refused.value.fix
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path / "elsewhere"))
    assert hosts.place()["folder"] != place["folder"]
    with pytest.raises(PublishRefusedError):
        hosts.check_folder(place)


class Bucket:
    """A store in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def identity(self) -> str:
        return "bucket"

    def names(self, folder: str) -> dict[str, int]:
        base = self.root / folder
        return {path.relative_to(base).as_posix(): path.stat().st_size for path in base.rglob("*") if path.is_file()}

    def put(self, name: str, path: Path) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, self.root / name)

    def get(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.root / name, path)


def test_each_step_sees_what_another_host_stored_and_stores_what_it_made(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, httpserver: Any
) -> None:
    monkeypatch.setattr(
        "datamoat.storage.store.open_store", lambda settings: Bucket(tmp_path / "bucket") if settings.store else None
    )
    monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
    monkeypatch.setenv("DATAMOAT_UPSTREAM_EXAMPLE_BOARD", f"http://127.0.0.1:{httpserver.port}")
    source = find_source(here.content, "example_board")

    def host(name: str) -> Settings:
        return replace(here, data=tmp_path / name, store="s3://bucket")

    file = tmp_path / "a.json"
    file.write_text('{"entries": [{"name": "a", "value": 1}]}')
    assert [bring_in(host(name), source, "entries", file, DAYS[0]).outcomes[0].what for name in ("first", "second", "first")] == [
        "new",
        "unchanged",
        "unchanged",
    ]
    for name in ("first", "second"):
        put(host(name), DAYS[1])
    assert [take_inbox(host(name), source)[0].outcomes[0].what for name in ("second", "first")] == ["new", "unchanged"]
    reply = Response('{"entries": []}', headers={"ETag": '"v1"'})
    httpserver.expect_request("/entries.json", headers={"If-None-Match": '"v1"'}).respond_with_data("", status=304)
    httpserver.expect_ordered_request("/entries.json").respond_with_response(reply)
    httpserver.expect_request("/entries.json").respond_with_response(reply)
    fetched = [fetch_source(host(name), source) for name in ("third", "fourth")]
    assert [report.outcomes[0].what for report in fetched] == ["new", "unchanged"]
    landed, _ = land_source(host("fifth"), source)
    assert [one.captured_on.isoformat() for one in landed][:2] == list(DAYS[:2])
    assert fetched[0].snapshot_ids[0] in {one.snapshot_id for one in landed}
    monkeypatch.setattr(hosts, "open_store", lambda _: Bucket(tmp_path / "bucket"))
    monkeypatch.setattr(hosts, "read_settings", lambda: host("sixth"))
    facts = {"host": "third", "folder": "x", "store": "bucket", "snapshot_ids": fetched[0].snapshot_ids}
    assert hosts.check_fetched("example_board", facts)["store"] == "bucket"


@pytest.mark.slow
def test_the_disk_use_of_thirty_publications_is_flat(here: Settings, edit: Callable[[str, str, str], Path]) -> None:
    value, used = "5.0", []
    for number in range(30):
        edit("data/reference/facts.csv", value, value := f"{number + 6}.0")
        made = tasks.build()
        tasks.publish(tasks.audit(made["build_id"])["build_id"])
        tasks.export()
        used.append(sum(path.stat().st_size for path in here.data.rglob("*") if path.is_file() and "reference" not in path.parts))
    assert len(list(here.exports.glob("datamoat-*"))) == 3
    assert max(used[5:]) < 1.1 * min(used[5:]), used
