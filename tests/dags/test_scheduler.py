"""A real scheduler: three processes on a fresh home, upstreams on loopback, controlled by REST alone."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.ingest.decisions import RECORD
from datamoat.orchestration import airflow_local as local
from datamoat.settings import Settings

pytest.importorskip("airflow")
psutil = pytest.importorskip("psutil")  # Airflow brings it
from faults import Site  # noqa: E402

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


@dataclass
class Scheduler(Site):
    """A running Airflow whose processes a test knows."""

    home: Path = Path()
    parts: dict[str, Any] = field(default_factory=dict)
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    began: float = 0.0
    healthy_after: float = 0.0
    exported_after: float = 0.0

    def dead(self) -> list[str]:
        ended = [name for name, part in self.parts.items() if part.poll() is not None]
        return [f"{name}: {(self.home / 'logs' / f'{name}.log').read_text()[-3000:]}" for name in ended]

    def runs(self, dag: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call(f"dags/{dag}/dagRuns?order_by=run_after&limit=100")["dag_runs"]
        return found

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        found = self.call(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {one["task_id"]: one["state"] for one in found}

    def log(self, dag: str, run: str, task: str) -> str:
        return str(self.call(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/1?full_content=true"))

    def processes(self) -> list[Any]:
        """Return every process of this Airflow: what was started, and what that started."""
        found = []
        for part in self.parts.values():
            found += [psutil.Process(part.pid), *psutil.Process(part.pid).children(recursive=True)]
        return found


def published(world: Any) -> str:
    return hashlib.sha256(world.settings.published.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def read_only_content(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Close the content tree to Airflow and all that it starts, as in a container: root loses its right to write anywhere."""
    for path in (world.content, *world.content.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    if os.geteuid() != 0:
        pytest.skip("the tests beside Airflow change what Airflow may not: run them as root")
    program = tmp_path_factory.mktemp("bin") / "airflow"
    lost = "-dac_override,-dac_read_search,-fowner"
    program.write_text(f'#!/bin/sh\nexec setpriv --inh-caps={lost} --bounding-set={lost} {local._program()} "$@"\n')
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_program", lambda: str(program))
        yield world


@pytest.fixture(scope="module")
def started(read_only_content: Any, free_port: Callable[[], int], api_of: Callable[..., Any]) -> Iterator[Scheduler]:
    world = read_only_content
    world.home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.environment.items():
            patch.setenv(name, value)
        given = {**world.environment, "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10"}
        airflow = local.describe(world.home, free_port(), given)
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            parts = stack.enter_context(local.running(airflow))
            api = api_of(airflow.address, lambda: airflow.password)
            made = Scheduler(world, api, api.token(), home=airflow.home, parts=parts, stack=stack, began=began)
            made.healthy_after = time.monotonic() - began
            made.until("every DAG is read", lambda: made.call("dags?limit=100")["total_entries"] >= 7)
            yield made


@pytest.fixture(scope="module")
def scheduler(started: Scheduler) -> Scheduler:
    """Return a scheduler whose one switched-on source was ingested by the clock, built, published and exported."""
    world = started.world
    started.switch("ingest__example_board", is_on=True)

    def exported() -> bool:
        folders = [path.parent.name for path in world.settings.exports.glob("datamoat-*/datapackage.json")]
        return folders != [] and listed(world)[0] == 3 and f"datamoat-{listed(world)[1]}" in folders

    started.until("a scheduled run led to an export with its rows", exported)
    started.exported_after = time.monotonic() - started.began
    return started


def listed(world: Any) -> tuple[int, str]:
    """Return how many entries are published, and by which build."""
    if not world.settings.published.is_file():
        return (0, "")
    with duckdb.connect(str(world.settings.published), read_only=True) as con:
        found: tuple[int, str] = con.sql("select (select count(*) from marts.listed), build_id from meta.build").fetchall()[0]
    return found


def test_a_scheduled_ingest_leads_to_a_published_file_and_an_export(
    scheduler: Scheduler, record_property: Callable[[str, object], None]
) -> None:
    scheduler.wait_until_idle()
    (run,) = scheduler.runs("ingest__example_board")
    assert (run["run_type"], run["state"]) == ("scheduled", "success")
    builds = scheduler.runs("build_warehouse")
    assert {(one["run_type"], one["state"]) for one in builds} == {("asset_triggered", "success")}
    events = scheduler.call("assets/events?limit=100")["asset_events"]
    landed = next(one["extra"] for one in events if one["source_dag_id"] == "ingest__example_board")
    assert landed["n_rows"] == 3
    assert landed["statuses"] == {"ok": 1}
    assert landed["snapshot_ids"][0].startswith("example_board/entries/")
    n, build_id = listed(scheduler.world)
    assert n == 3
    assert build_id in [one["extra"]["build_id"] for one in events if one["source_dag_id"] == "build_warehouse"]
    megabytes = sum(process.memory_full_info().pss for process in scheduler.processes()) // 1_000_000
    measured = (
        f"healthy after {scheduler.healthy_after:.1f} s, export after {scheduler.exported_after:.1f} s, {megabytes} MB, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    record_property("measured", measured)


def test_the_log_of_a_task_has_one_event_for_each_model_check_and_publication(scheduler: Scheduler) -> None:
    (run, *_) = scheduler.runs("build_warehouse")
    built = scheduler.log("build_warehouse", run["dag_run_id"], "build")
    with duckdb.connect(str(scheduler.world.settings.published), read_only=True) as con:
        models = [f"{layer}.{name}" for layer, name in con.sql("select layer, table_name from meta.models").fetchall()]
    assert len(models) >= 6
    assert [model for model in models if model not in built] == []
    assert all(field in built for field in ("rows", "seconds", "hash"))
    assert "is_ok" in scheduler.log("build_warehouse", run["dag_run_id"], "audit")
    assert "publication" in scheduler.log("build_warehouse", run["dag_run_id"], "publish")


def test_it_listens_to_this_machine_alone(scheduler: Scheduler) -> None:
    listens = {
        (process.name(), socket.laddr.ip)
        for process in scheduler.processes()
        for socket in process.net_connections(kind="inet")
        if socket.status == psutil.CONN_LISTEN
    }
    assert {address for _, address in listens} == {"127.0.0.1"}, listens


def test_an_upstream_that_turns_empty_is_quarantined_and_named_while_the_old_file_stays(
    scheduler: Scheduler, lists: Callable[..., None]
) -> None:
    scheduler.wait_until_idle()
    before, n_builds = published(scheduler.world), len(scheduler.runs("build_warehouse"))
    lists(0)
    run = scheduler.trigger("ingest__example_board")
    assert scheduler.ended("ingest__example_board", run) == "failed"
    assert scheduler.tasks("ingest__example_board", run) == {
        "fetch": "success", "land": "skipped", "undecided": "success", "open_decision": "skipped", "validate": "failed",
        "all_good": "upstream_failed",
    }  # fmt: skip
    about = f"ingest__example_board failed in run {run}: validate: example_board: entries is quarantined since"
    scheduler.until("an alert was sent", lambda: any(about in posted for posted in scheduler.world.upstream.posted))
    assert "entries is quarantined since" in scheduler.log("ingest__example_board", run, "validate")
    status = scheduler.world.datamoat("status")
    assert (status.returncode, "example_board quarantined: entries" in status.stdout) == (1, True)
    scheduler.wait_until_idle()
    assert published(scheduler.world) == before
    assert len(scheduler.runs("build_warehouse")) == n_builds


@pytest.fixture(scope="module")
def killed(scheduler: Scheduler) -> dict[str, Any]:
    """Kill a build in the middle of it and let its DAG end; return what readers had before and after, and the run."""
    scheduler.wait_until_idle()
    world, before = scheduler.world, published(scheduler.world)
    facts = world.content / "data" / "reference" / "facts.csv"
    facts.write_text(facts.read_text() + "youtube,9.0,2026-06-01\n")
    world.hold.touch()
    known = {run["dag_run_id"] for run in scheduler.runs("build_warehouse")}
    scheduler.trigger("ingest__reference")
    writer = world.data / ".writer.json"

    def building() -> int | None:
        try:
            note = json.loads(writer.read_text())
        except (OSError, ValueError):
            return None
        return int(note["pid"]) if note["verb"] == "build" else None

    pid = scheduler.until("a build is under way", building)
    time.sleep(0.5)
    os.kill(pid, signal.SIGKILL)
    scheduler.until("the dead builder let go", lambda: building() != pid or not Path(f"/proc/{pid}").exists())
    after = published(world)
    run = next(run["dag_run_id"] for run in scheduler.runs("build_warehouse") if run["dag_run_id"] not in known)
    late = f"build_warehouse has not ended 1 minutes after its usual time (run {run})"
    scheduler.until("the killed build is late", lambda: any(late in text for text in world.upstream.posted))
    world.hold.unlink()
    return {"before": before, "after": after, "run": run, "state": scheduler.ended("build_warehouse", run)}


def test_a_worker_killed_in_the_middle_of_a_build_leaves_the_old_file_and_the_next_try_is_clean(
    scheduler: Scheduler, killed: dict[str, Any]
) -> None:
    world = scheduler.world
    assert killed["after"] == killed["before"]
    assert killed["state"] == "success"
    tasks = scheduler.call(f"dags/build_warehouse/dagRuns/{killed['run']}/taskInstances")["task_instances"]
    assert {one["task_id"]: one["try_number"] for one in tasks} == {"build": 2, "audit": 1, "publish": 1}
    with duckdb.connect(str(world.settings.published), read_only=True) as con:
        assert con.sql("select count(*) from marts.lab_volume").fetchall() == [(3,)]
    scheduler.wait_until_idle()
    assert list(world.data.rglob("*.part")) == []


def test_a_run_that_has_not_ended_by_its_deadline_raises_one_alert_and_one_that_failed_before_it_does_not(
    scheduler: Scheduler, killed: dict[str, Any]
) -> None:
    posted = scheduler.world.upstream.posted
    assert len([text for text in posted if killed["run"] in text]) == 1
    failed = [run["dag_run_id"] for run in scheduler.runs("ingest__example_board") if run["state"] == "failed"]
    assert [len([text for text in posted if run in text]) for run in failed] == [1] * len(failed) != []


def test_two_ingests_that_land_together_give_one_build_after_another(scheduler: Scheduler, lists: Callable[..., None]) -> None:
    scheduler.wait_until_idle()
    lists(3, 0.5)
    scheduler.switch("ingest__example_models", is_on=True)  # it runs at once
    run = scheduler.trigger("ingest__example_board")
    assert scheduler.ended("ingest__example_board", run) == "success"
    scheduler.until("the other source ran", lambda: scheduler.runs("ingest__example_models"))
    scheduler.wait_until_idle()
    assert {one["state"] for one in scheduler.runs("ingest__example_models")} == {"success"}
    builds = sorted((one["start_date"], one["end_date"], one["state"]) for one in scheduler.runs("build_warehouse"))
    assert {state for *_, state in builds} == {"success"}
    assert all(first[1] <= second[0] for first, second in pairwise(builds))
    with duckdb.connect(str(scheduler.world.settings.published), read_only=True) as con:
        listed = con.sql("select source_id, min(value) from marts.listed group by all order by 1").fetchall()
    assert listed == [("example_board", 10.5), ("example_models", 10.5)]


def test_history_is_landed_one_run_for_each_captured_day_and_a_second_time_changes_nothing(
    scheduler: Scheduler, lists: Callable[..., None]
) -> None:
    scheduler.wait_until_idle()
    lists(3, 0.5)
    world, days = scheduler.world, ("2026-09-01", "2026-09-02")
    inbox = world.data / "inbox" / "example_board" / "entries"
    inbox.mkdir(parents=True)
    for number, day in enumerate(days):
        (inbox / f"{day}.json").write_bytes(world.listing(3, 0.25 + number / 10))  # of no later day: that would be an old copy
    (inbox / "2026-09-03.json.part").write_bytes(b"half")
    scheduler.switch("ingest__example_board", is_on=False)
    n_requests = len(world.upstream.asked)

    def land_history() -> list[dict[str, Any]]:
        """Go through the inbox and return the runs of its days."""
        run = scheduler.trigger("list_captures")
        assert scheduler.ended("list_captures", run) == "success"
        scheduler.wait_until_idle()
        return sorted(scheduler.runs("land_capture"), key=lambda one: one["run_after"])

    first = land_history()
    assert {(one["partition_key"], one["state"]) for one in first} == {(f"example_board|{day}", "success") for day in days}
    with duckdb.connect(str(world.settings.published), read_only=True) as con:
        history = con.sql(
            "select captured_on::varchar, min(value) from marts.listed where captured_on < '2026-10-01' group by all order by 1"
        ).fetchall()
    assert history == [(day, pytest.approx(10.25 + number / 10)) for number, day in enumerate(days)]
    before, n_builds = published(world), len(scheduler.runs("build_warehouse"))
    second = land_history()
    assert len(second) == 2 * len(days)  # it did go through them again
    assert {one["state"] for one in second} == {"success"}
    assert (published(world), len(scheduler.runs("build_warehouse"))) == (before, n_builds)
    assert len(world.upstream.asked) == n_requests  # no request was sent for a day that is over
    scheduler.switch("ingest__example_board", is_on=True)


def test_a_backfill_that_would_send_requests_is_refused(scheduler: Scheduler) -> None:
    wanted = {
        "dag_id": "ingest__example_board", "from_date": "2026-09-01T00:00:00Z", "to_date": "2026-09-02T23:59:59Z",
        "reprocess_behavior": "none", "max_active_runs": 1, "run_backwards": False, "dag_run_conf": {},
    }  # fmt: skip
    with pytest.raises(urllib.error.HTTPError, match=r"HTTP Error 4\d\d"):
        scheduler.call("backfills", wanted)


def test_a_failed_run_can_be_cleared_within_its_deadline(scheduler: Scheduler) -> None:
    scheduler.wait_until_idle()
    scheduler.world.upstream.status = 403
    run = scheduler.trigger("ingest__example_board")
    assert scheduler.ended("ingest__example_board", run) == "failed"
    scheduler.world.upstream.status = 200
    cleared = {"dag_run_id": run, "dry_run": False, "only_failed": False}
    scheduler.call("dags/ingest__example_board/clearTaskInstances", cleared)
    assert scheduler.ended("ingest__example_board", run) == "success"


def test_one_answer_leads_from_a_quarantine_to_a_published_file_though_the_content_tree_is_read_only(
    scheduler: Scheduler, lists: Callable[..., None], tmp_path: Path
) -> None:
    world, dag = scheduler.world, "ingest__example_board"
    scheduler.wait_until_idle()
    lists(9, 0.5)  # three times as many as before
    assert scheduler.ended(dag, scheduler.trigger(dag)) == "failed"
    asked = "dags/~/dagRuns/~/hitlDetails?response_received=false"

    def waiting() -> Any:
        return scheduler.call(asked)["hitl_details"]

    (detail,) = scheduler.until("a person is called", waiting)
    assert detail["task_instance"]["dag_id"] == "quarantine"
    assert "example\\_board: entries of" in detail["subject"].replace("_", "\\_")
    assert detail["body"].count("| entries | new | Entry") == 6
    assert scheduler.ended(dag, scheduler.trigger(dag)) == "failed"
    scheduler.until("it is tried again", lambda: len(scheduler.runs("quarantine")) == 1 and waiting() == [detail])
    before, run = published(world), detail["task_instance"]["dag_run_id"]
    path = f"dags/quarantine/dagRuns/{run}/taskInstances/decision/-1/hitlDetails"
    answer = {"chosen_options": ["Accept"], "params_input": {"reason": "their list is longer since the weekend"}}
    scheduler.call(path, answer, "PATCH")
    scheduler.until("it is published", lambda: listed(world)[0] and published(world) != before)
    scheduler.wait_until_idle()
    wanted = (
        "select distinct decision, decided_by, decision_reason, validation_status from meta.snapshots where decision is not null"
    )
    with duckdb.connect(str(world.settings.published), read_only=True) as con:
        assert con.sql(wanted).fetchall() == [("accept", "admin", answer["params_input"]["reason"], "revision")]
        assert con.sql("select count(*) from marts.listed where entry_name = 'Entry 8'").fetchall() == [(1,)]
        tables = con.sql("select table_name, content_hash from meta.models where layer = 'marts'").fetchall()
    assert waiting() == []
    # A checkout that has the decision by git, and the responses without it, builds the same.
    again = Settings(shutil.copytree(world.content, tmp_path / "content"), tmp_path / "data", 2, "1GB")
    there = {**world.environment, "DATAMOAT_ROOT": str(again.content), "DATAMOAT_DATA": str(world.data)}
    here = {**there, "DATAMOAT_DATA": str(again.data)}
    (again.reference / "quarantine").mkdir()
    for environment, words in ((there, ("accept", "--mirror")), (here, ("run",))):
        if words == ("run",):
            shutil.copytree(world.data / "snapshots", again.snapshots, ignore=shutil.ignore_patterns(f"*{RECORD}"))
        done = subprocess.run(
            [sys.executable, "-m", "datamoat", *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    for name in ("listed.parquet", "lab_volume.parquet"):
        assert (again.lake / "marts" / name).read_bytes() == (world.settings.lake / "marts" / name).read_bytes()
    with duckdb.connect(str(again.published), read_only=True) as con:
        assert con.sql("select table_name, content_hash from meta.models where layer = 'marts'").fetchall() == tables
        assert con.sql("select build_id from meta.build").fetchall()[0][0] == listed(world)[1]
        assert con.sql(wanted).fetchall() == [("accept", "admin", answer["params_input"]["reason"], "revision")]


def test_no_secret_reaches_a_log_a_template_an_event_a_receipt_or_an_export(scheduler: Scheduler) -> None:
    world = scheduler.world
    secret = {"connection_id": "canary", "conn_type": "http", "host": "example.org", "password": f"{world.canary}-connection"}
    scheduler.call("connections", secret)
    assert {asked["x-api-key"] for asked in world.upstream.asked} == {f"{world.canary}-key"}  # it was there to be leaked
    assert any("token" not in posted for posted in world.upstream.posted)
    for path in ("connections", "assets/events", "eventLogs", "variables"):
        assert world.canary not in json.dumps(scheduler.call(path))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        scheduler.call("config")
    scheduler.wait_until_idle()
    needle = world.canary.encode()
    searched = [path for root in (world.home, world.data, world.content) for path in root.rglob("*") if path.is_file()]
    assert len(searched) > 50
    leaks = []
    for path in searched:
        with contextlib.suppress(FileNotFoundError):  # Airflow's own files come and go
            leaks += [str(path)] if needle in path.read_bytes() else []
    assert leaks == []


def test_when_a_part_is_killed_a_stop_still_leaves_nothing_running(scheduler: Scheduler) -> None:
    scheduler.wait_until_idle()
    processes = scheduler.processes()
    workers = psutil.Process(scheduler.parts["scheduler"].pid).children(recursive=True)
    assert workers != []
    scheduler.parts["scheduler"].kill()
    scheduler.stack.close()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
