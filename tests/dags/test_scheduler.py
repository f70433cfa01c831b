"""A real scheduler: three processes on a fresh home, upstreams on loopback, asked by REST alone."""

import hashlib
import json
import os
import signal
import socket
import time
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat import local

pytest.importorskip("airflow")

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
PATIENCE = 300.0  # this machine may be shared; what it took is printed
ENDED = {"success", "failed"}


@dataclass
class Scheduler:
    """A running Airflow and the world it works in."""

    airflow: local.Airflow
    world: Any
    token: str
    began: float
    well_after: float

    def get(self, path: str) -> Any:
        return self.airflow.call(f"/api/v2/{path}", token=self.token)

    def runs(self, dag: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"dags/{dag}/dagRuns?order_by=run_after&limit=100")["dag_runs"]
        return found

    def trigger(self, dag: str) -> str:
        made = self.airflow.call(f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None}, self.token)
        return str(made["dag_run_id"])

    def switch_on(self, dag: str) -> None:
        self.airflow.call(f"/api/v2/dags/{dag}", {"is_paused": False}, self.token, method="PATCH")

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        found = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {one["task_id"]: one["state"] for one in found}

    def log(self, dag: str, run: str, task: str) -> str:
        return str(self.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/1?full_content=true"))

    def until(self, what: str, true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = true()
            if found:
                return found
            time.sleep(0.5)
        runs = {
            dag: [(run["dag_run_id"], run["state"]) for run in self.runs(dag)] for dag in ("build_warehouse", "export_tables")
        }
        pytest.fail(f"not after {seconds:g} s: {what}; {runs}")

    def ended(self, dag: str, run: str) -> str:
        def state() -> str | None:
            known = str(self.get(f"dags/{dag}/dagRuns/{run}")["state"])
            return known if known in ENDED else None

        return str(self.until(f"{dag} {run} ended", state))

    def quiet(self) -> bool:
        """Tell whether nothing is running or waiting, twice in a row."""
        for _ in range(2):
            for dag in (
                "ingest__reference",
                "ingest__example_board",
                "ingest__example_models",
                "build_warehouse",
                "export_tables",
            ):
                if any(run["state"] not in ENDED for run in self.runs(dag)):
                    return False
            time.sleep(2)
        return True


def memory(pids: Any) -> int:
    """Return the megabytes of the processes' sessions, shared pages split among those who share them."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if os.getsid(int(folder.name)) in pids:
                    lines = (folder / "smaps_rollup").read_text().splitlines()
                    total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            except OSError:
                continue
    return total // 1000


def published(world: Any) -> str:
    return hashlib.sha256(world.settings.published.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def scheduler(world: Any) -> Iterator[Scheduler]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    world.home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.environment.items():
            patch.setenv(name, value)
        airflow = local.describe(world.home, port, {**world.environment, "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10"})
        began = time.monotonic()
        try:
            token = local.start(airflow)
            yield Scheduler(airflow, world, token, began, time.monotonic() - began)
        finally:
            local.stop(airflow)


def test_a_scheduled_ingest_leads_to_a_published_file_and_an_export(
    scheduler: Scheduler, record_property: Callable[[str, object], None]
) -> None:
    scheduler.switch_on("ingest__example_board")

    def exported() -> Any:
        runs = [run for run in scheduler.runs("ingest__example_board") if run["state"] in ENDED]
        folders = list(scheduler.world.settings.exports.glob("datamoat-*/datapackage.json"))
        if not runs or not folders or not scheduler.world.settings.published.is_file():
            return None
        with duckdb.connect(str(scheduler.world.settings.published), read_only=True) as con:
            n, build_id = con.sql("select (select count(*) from marts.listed), build_id from meta.build").fetchall()[0]
        return (runs[0], build_id) if n == 3 and any(build_id in str(folder) for folder in folders) else None

    run, build_id = scheduler.until("a scheduled run led to an export with its rows", exported)
    took = time.monotonic() - scheduler.began
    assert (run["run_type"], run["state"]) == ("scheduled", "success")
    builds = [one for one in scheduler.runs("build_warehouse") if one["state"] == "success"]
    assert {one["run_type"] for one in builds} == {"asset_triggered"}
    events = scheduler.get("assets/events?limit=100")["asset_events"]
    landed = next(one["extra"] for one in events if one["source_dag_id"] == "ingest__example_board")
    assert landed["n_rows"] == 3
    assert landed["verdicts"] == {"ok": 1}
    assert landed["snapshot_ids"][0].startswith("example_board/entries/")
    assert build_id in [one["extra"]["build_id"] for one in events if one["source_dag_id"] == "build_warehouse"]
    pids = set(local.running(scheduler.airflow).values())
    measured = (
        f"well after {scheduler.well_after:.1f} s, export after {took:.1f} s, {memory(pids)} MB, load {os.getloadavg()[0]:.1f}"
    )
    record_property("measured", measured)


def test_an_upstream_that_turns_empty_is_quarantined_and_named_while_the_old_file_stays(
    scheduler: Scheduler, lists: Callable[..., None]
) -> None:
    scheduler.until("all is quiet", scheduler.quiet)
    before, n_builds = published(scheduler.world), len(scheduler.runs("build_warehouse"))
    lists(0)
    run = scheduler.trigger("ingest__example_board")
    assert scheduler.ended("ingest__example_board", run) == "failed"
    assert scheduler.tasks("ingest__example_board", run) == {"fetch": "success", "land": "skipped", "judge": "failed"}
    log = scheduler.log("ingest__example_board", run, "judge")
    assert "entries is quarantined since" in log
    assert "ALARM ingest__example_board.judge failed" in log
    assert any("example_board" in posted and "quarantined" in posted for posted in scheduler.world.upstream.posted)
    status = scheduler.world.datamoat("status")
    assert (status.returncode, "example_board quarantined: entries" in status.stdout) == (1, True)
    assert published(scheduler.world) == before
    assert len(scheduler.runs("build_warehouse")) == n_builds


def test_a_worker_killed_in_the_middle_of_a_build_leaves_the_old_file_and_the_next_try_is_clean(scheduler: Scheduler) -> None:
    scheduler.until("all is quiet", scheduler.quiet)
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
    assert published(world) == before
    scheduler.until("the dead builder let go", lambda: building() != pid or not Path(f"/proc/{pid}").exists())
    world.hold.unlink()
    run = next(run["dag_run_id"] for run in scheduler.runs("build_warehouse") if run["dag_run_id"] not in known)
    assert scheduler.ended("build_warehouse", run) == "success"
    tries = {
        one["task_id"]: one["try_number"]
        for one in scheduler.get(f"dags/build_warehouse/dagRuns/{run}/taskInstances")["task_instances"]
    }
    assert tries == {"build": 2, "audit": 1, "publish": 1}
    with duckdb.connect(str(world.settings.published), read_only=True) as con:
        assert con.sql("select count(*) from marts.lab_volume").fetchall() == [(3,)]
    assert list(world.data.rglob("*.part")) == []


def test_two_ingests_that_land_together_give_one_build_after_another(scheduler: Scheduler, lists: Callable[..., None]) -> None:
    scheduler.until("all is quiet", scheduler.quiet)
    lists(3, 0.5)
    scheduler.switch_on("ingest__example_models")  # it runs at once
    run = scheduler.trigger("ingest__example_board")
    assert scheduler.ended("ingest__example_board", run) == "success"
    scheduler.until("the other source ran", lambda: scheduler.runs("ingest__example_models"))
    scheduler.until("all is quiet", scheduler.quiet)
    assert [one["state"] for one in scheduler.runs("ingest__example_models")] == ["success"]
    builds = sorted((one["start_date"], one["end_date"], one["state"]) for one in scheduler.runs("build_warehouse"))
    assert {state for *_, state in builds} == {"success"}
    assert all(first[1] <= second[0] for first, second in pairwise(builds))
    with duckdb.connect(str(scheduler.world.settings.published), read_only=True) as con:
        listed = con.sql("select source_id, min(value) from marts.listed group by all order by 1").fetchall()
    assert listed == [("example_board", 10.5), ("example_models", 10.5)]


def test_history_is_landed_by_a_backfill_and_a_second_one_changes_nothing(
    scheduler: Scheduler, lists: Callable[..., None]
) -> None:
    scheduler.until("all is quiet", scheduler.quiet)
    lists(3, 0.5)
    world, days = scheduler.world, ("2026-09-01", "2026-09-02")
    inbox = world.data / "inbox" / "example_board" / "entries"
    inbox.mkdir(parents=True)
    for number, day in enumerate(days):
        (inbox / f"{day}.json").write_bytes(world.listing(3, number / 10))
    n_asked = len(world.upstream.asked)

    def backfill(again: str) -> set[str]:
        wanted = {
            "dag_id": "ingest__example_board", "from_date": f"{days[0]}T00:00:00Z", "to_date": f"{days[-1]}T23:59:59Z",
            "reprocess_behavior": again, "max_active_runs": 1, "run_backwards": False, "dag_run_conf": {},
        }  # fmt: skip
        made = scheduler.airflow.call("/api/v2/backfills", wanted, scheduler.token)["id"]
        scheduler.until("the backfill is done", lambda: scheduler.get(f"backfills/{made}")["completed_at"])
        scheduler.until("all is quiet", scheduler.quiet)
        return {run["state"] for run in scheduler.runs("ingest__example_board") if run["run_type"] == "backfill"}

    assert backfill("none") == {"success"}
    with duckdb.connect(str(world.settings.published), read_only=True) as con:
        history = con.sql(
            "select captured_on::varchar, min(value) from marts.listed where captured_on < '2026-10-01' group by all order by 1"
        ).fetchall()
    assert history == [(day, 10.0 + number / 10) for number, day in enumerate(days)]
    before, n_builds = published(world), len(scheduler.runs("build_warehouse"))
    assert backfill("completed") == {"success"}
    assert (published(world), len(scheduler.runs("build_warehouse"))) == (before, n_builds)
    assert len(world.upstream.asked) == n_asked  # nobody was asked for a day that is over


def test_no_secret_reaches_a_log_a_template_an_event_a_receipt_or_an_export(scheduler: Scheduler) -> None:
    world = scheduler.world
    secret = {"connection_id": "canary", "conn_type": "http", "host": "example.org", "password": f"{world.canary}-connection"}
    scheduler.airflow.call("/api/v2/connections", secret, scheduler.token)
    assert {asked["x-api-key"] for asked in world.upstream.asked} == {f"{world.canary}-key"}  # it was there to be leaked
    assert any("token" not in posted for posted in world.upstream.posted)
    for path in ("connections", "assets/events", "eventLogs", "variables"):
        assert world.canary not in json.dumps(scheduler.get(path))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        scheduler.get("config")
    needle = world.canary.encode()
    searched = [path for root in (world.home, world.data, world.content) for path in root.rglob("*") if path.is_file()]
    assert len(searched) > 50
    assert [str(path) for path in searched if needle in path.read_bytes()] == []


def test_a_run_that_is_not_through_by_its_deadline_is_told_of(scheduler: Scheduler) -> None:
    told = "build_warehouse is not through 0.3 minutes after it was queued (run asset_triggered__"
    scheduler.until("the killed build was told of as late", lambda: any(told in text for text in scheduler.world.upstream.posted))
