"""The fault table, on one machine: each fault is brought about on a real scheduler, and is exactly one alert.

`make airflow` itself runs, as a process; alerts go to a webhook on loopback. The faults and the shapes of their alerts are rows of
`alerts.csv`, from which the table of `docs/operations.md` is made. Redis is in `test_celery.py`.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from alert_table import rows, shape

from datamoat.ingest.inbox import bring_in
from datamoat.ingest.land import land_source
from datamoat.project.scaffold import write_source
from datamoat.project.sources import find_source

pytest.importorskip("airflow")
psutil = pytest.importorskip("psutil")  # Airflow brings it
pytestmark = [pytest.mark.slow, pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
PATIENCE = 400.0
QUIET = 15.0  # how long nothing more may arrive after an alert
MANY = "example_many"
REQUESTS = ("one", "two", "three", "four")


@dataclass
class Machine:
    """A running `make airflow`, and the alerts that it has sent."""

    process: subprocess.Popen[str]
    world: Any
    api: Any
    token: str
    taken: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def call(self, path: str, body: object = None, method: str | None = None) -> Any:
        return self.api.call(f"/api/v2/{path}", body, self.token, method)

    def trigger(self, dag: str) -> str:
        return str(self.call(f"dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"])

    def until(self, what: str, true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if found := true():
                    return found
            time.sleep(0.3)
        return pytest.fail(f"not after {seconds:g} s: {what}; alerts: {self.world.upstream.posted}")

    def ended(self, dag: str, run: str) -> str:
        def state() -> str | None:
            known = str(self.call(f"dags/{dag}/dagRuns/{run}")["state"])
            return known if known in {"success", "failed"} else None

        return str(self.until(f"{dag} {run} ended", state))

    def is_idle(self) -> bool:
        runs = self.call("dags/~/dagRuns?limit=100")["dag_runs"]
        return all(run["state"] in {"success", "failed"} for run in runs)

    def new_alerts(self) -> list[str]:
        """Return the alerts that were not taken yet."""
        return [json.loads(text)["text"] for text in self.world.upstream.posted[len(self.taken) :]]

    def one_alert(self, fault: str, began: float) -> str:
        """Wait for the alert of a fault, then for nothing more; return it."""
        self.until(f"an alert of {fault}", self.new_alerts)
        self.seconds[fault] = time.monotonic() - began
        time.sleep(QUIET)
        sent = self.new_alerts()
        assert len(sent) == 1, sent
        self.taken.append(alert := sent[0])
        assert any(shape(row).search(alert) for row in rows() if row["fault"] == fault), alert
        return alert

    def good_again(self, what: str) -> None:
        self.until(f"{what} is good again", self.new_alerts)
        (line,) = self.new_alerts()
        self.taken.append(line)
        assert line == f"datamoat: {what}: good again"

    def change_facts(self, line: str) -> None:
        """Add a line to the reference facts, which sets off a build."""
        facts = self.world.content / "data" / "reference" / "facts.csv"
        facts.write_text(f"{facts.read_text().rstrip()}\n{line}\n")

    def builder(self, known: set[int]) -> int | None:
        """Return the process that builds at the moment, if it is not one of those known."""
        try:
            note = json.loads((self.world.data / ".writer.json").read_text())
        except (OSError, ValueError):
            return None
        pid = int(note["pid"])
        return pid if note["verb"] == "build" and pid not in known and psutil.pid_exists(pid) else None

    def start_build_that_waits(self, line: str) -> None:
        """Set off a build that does not get further than its first model in Python."""
        self.until("nothing runs", self.is_idle)
        self.world.hold.touch()
        self.change_facts(line)
        self.trigger("ingest__reference")

    def build_that_runs(self, number: int) -> str | None:
        """Return the task instance of the newest build if its try of this number runs at the moment."""
        (run,) = self.call("dags/build_warehouse/dagRuns?order_by=-run_after&limit=1")["dag_runs"]
        task = self.call(f"dags/build_warehouse/dagRuns/{run['dag_run_id']}/taskInstances/build")
        return str(task["id"]) if (task["state"], task["try_number"]) == ("running", number) else None

    def scheduler(self) -> Any:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if "scheduler" in " ".join(child.cmdline()))

    def supervisor(self, task: str) -> Any:
        """Return the process of the executor that runs a task instance, which is named in its title; the task is a child of it."""
        workers = [worker for worker in self.scheduler().children() if task in " ".join(worker.cmdline())]
        return next((worker for worker in workers if worker.children()), None)


@pytest.fixture(scope="module")
def room(world: Any) -> Iterator[Path | None]:
    """Put the data folder on a small disk of its own, where a user may mount one; return the file that fills it.

    The disk is not below pytest's own folders: those are moved and removed by other runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        call = ["mount", "-t", "tmpfs", "-o", "size=2600m", "tmpfs", str(disk)]
        if subprocess.run(call, capture_output=True, check=False).returncode != 0:
            yield None
            return
        world.data = disk
        world.environment["DATAMOAT_DATA"] = str(disk)
        try:
            yield disk / "filler"
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture(scope="module")
def machine(
    world: Any, room: Path | None, free_port: Callable[[], int], api_of: Callable[..., Any], record_testsuite_property: Any
) -> Iterator[Machine]:
    port, home = free_port(), world.data / "airflow"
    path = write_source(world.settings, MANY) / "source.yml"
    lines = [f'    {name}: {{about: "Request {name}.", url: "https://example.org/{name}.json"}}' for name in REQUESTS]
    text = re.sub(r"^    entries: \{about.*$", "\n".join(lines), path.read_text(), flags=re.MULTILINE)
    path.write_text(text)
    given = {
        **{name: value for name, value in world.environment.items() if name != "AIRFLOW_HOME"},
        f"DATAMOAT_UPSTREAM_{MANY.upper()}": f"http://127.0.0.1:{world.upstream.port}",
        "DATAMOAT_LATE_MINUTES": "60",
        "DATAMOAT_WATCH_SECONDS": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    }
    call = [sys.executable, "-m", "datamoat.orchestration.airflow_local", "start", str(port)]
    log = (world.content / "start.log").open("w")
    process = subprocess.Popen(call, env=given, stdout=log, stderr=log, text=True, cwd=world.content, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    api = api_of(address, lambda: json.loads((home / "passwords.json").read_text())["admin"])
    made = Machine(process, world, api, "")
    try:
        made.token = made.until("a login", api.token)
        made.until("every DAG is read", lambda: made.call("dags?limit=100")["total_entries"] >= 11)
        made.until("the first build is exported", lambda: made.call("dags/export_tables/dagRuns")["total_entries"] >= 1)
        made.until("nothing runs", made.is_idle)
        assert made.new_alerts() == []
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            process.wait(60)
        log.close()
        sys.stdout.write("\n".join(f"{fault}: {seconds:.0f} s" for fault, seconds in made.seconds.items()))


def test_an_exception_is_one_alert(machine: Machine) -> None:
    facts = machine.world.content / "data" / "reference" / "facts.csv"
    good = facts.read_text()
    machine.change_facts("youtube,many,2026-06-01")
    began = time.monotonic()
    machine.trigger("ingest__reference")
    assert "facts.csv" in machine.one_alert("exception", began)
    facts.write_text(good)


def test_half_of_the_requests_refused_and_half_truncated_are_one_alert_that_names_both(machine: Machine) -> None:
    upstream = machine.world.upstream
    upstream.status_of |= {"/one.json": 403, "/two.json": 403}
    upstream.answer_of |= {"/three.json": b'{"entries": [{"na', "/four.json": b'{"entries": [{"na'}
    began = time.monotonic()
    machine.call(f"dags/ingest__{MANY}", {"is_paused": False}, "PATCH")
    alert = machine.one_alert("refused_and_truncated", began)
    assert [name in alert for name in REQUESTS] == [True] * 4
    machine.call(f"dags/ingest__{MANY}", {"is_paused": True}, "PATCH")


def test_a_task_killed_on_every_try_is_one_alert(machine: Machine) -> None:
    machine.start_build_that_waits("youtube,9.0,2026-06-01")
    killed: set[int] = set()
    for _ in range(3):
        pid = machine.until("a build is under way", lambda: machine.builder(killed))
        killed.add(pid)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
    alert = machine.one_alert("task_killed", began)
    machine.world.hold.unlink()
    assert "build_warehouse failed" in alert


def test_the_supervisor_of_a_task_killed_on_every_try_is_one_alert(machine: Machine) -> None:
    machine.start_build_that_waits("kuaishou,9.0,2026-06-01")
    left: list[Any] = []
    for number in range(1, 4):
        task = machine.until(f"try {number} of the build runs", lambda number=number: machine.build_that_runs(number))
        supervisor = machine.until("its supervisor is there", lambda task=task: machine.supervisor(task))
        left += supervisor.children()
        began = time.monotonic()
        supervisor.kill()
    alert = machine.one_alert("supervisor_killed", began)
    for task in left:  # some went on, and waited for the lock of the first
        with contextlib.suppress(psutil.NoSuchProcess):
            task.kill()
    machine.world.hold.unlink()
    assert "build_warehouse failed" in alert


def test_a_source_that_is_silent_for_two_intervals_is_one_alert_and_good_again(machine: Machine) -> None:
    world = machine.world
    source = find_source(world.content, "example_board")
    path = world.content / "old.json"
    path.write_bytes(world.listing(3))
    bring_in(world.settings, source, "entries", path, "2026-01-05")
    land_source(world.settings, source)
    began = time.monotonic()
    for _ in range(2):
        assert machine.ended("watch_state", machine.trigger("watch_state")) == "success"
    machine.one_alert("silent_source", began)
    machine.call("dags/ingest__example_board", {"is_paused": False}, "PATCH")
    machine.until("it was fetched", lambda: machine.call("dags/ingest__example_board/dagRuns")["total_entries"])
    machine.until("nothing runs", machine.is_idle)
    machine.trigger("watch_state")
    machine.good_again("source example_board")


def test_a_disk_that_fills_is_one_alert_while_there_is_room_and_good_again(machine: Machine, room: Path | None) -> None:
    if room is None:
        pytest.skip("no small disk can be mounted here")
    machine.until("nothing runs", machine.is_idle)
    with room.open("wb") as file:
        file.truncate(0)
        os.posix_fallocate(file.fileno(), 0, 900_000_000)
    machine.change_facts("bilibili,3.0,2026-06-01")
    began = time.monotonic()
    machine.trigger("ingest__reference")
    machine.until("a build was refused", lambda: "failed" in {run["state"] for run in machine.call(
        "dags/build_warehouse/dagRuns?order_by=-run_after&limit=1")["dag_runs"]})  # fmt: skip
    machine.trigger("watch_state")
    machine.one_alert("disk_full", began)
    room.unlink()
    machine.trigger("watch_state")
    machine.good_again("free disk")


def test_a_scheduler_that_is_killed_is_one_alert(machine: Machine) -> None:
    (scheduler,) = [child for child in psutil.Process(machine.process.pid).children() if "scheduler" in " ".join(child.cmdline())]
    began = time.monotonic()
    scheduler.kill()
    machine.one_alert("scheduler_killed", began)
    assert machine.process.wait(60) == 1
