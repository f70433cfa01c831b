"""The faults of `alerts.csv` that an Airflow of any kind can meet, each with exactly one alert.

`test_faults.py` brings them about on one machine, `test_celery.py` in the services and networks of docker-compose.yml.
"""

import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from alert_table import rows, shape

from datamoat.ingest.inbox import bring_in
from datamoat.ingest.land import land_source
from datamoat.project.scaffold import write_source
from datamoat.project.sources import find_source

PATIENCE = 400.0
ENDED = {"success", "failed"}
QUIET = 15.0  # how long nothing more may arrive after an alert
MANY, SILENT = "example_many", "example_silent"
REQUESTS = ("one", "two", "three", "four")
HURRY = {  # what Airflow waits for minutes for
    "DATAMOAT_WATCH_SECONDS": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
}


@dataclass
class Site:
    """A running Airflow in a small world, and the alerts that it has sent."""

    world: Any
    airflow: Any = None
    token: str = ""
    taken: list[str] = field(default_factory=list)

    def executors(self) -> list[psutil.Process]:
        """Return the processes whose children run tasks."""
        raise NotImplementedError

    def dead(self) -> list[str]:
        """Return the end of the log of each process that ended and should not have."""
        return []

    def call(self, path: str, body: object = None, method: str | None = None) -> Any:
        return self.airflow.call(f"/api/v2/{path}", body, self.token, method)

    def trigger(self, dag: str) -> str:
        return str(self.call(f"dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"])

    def switch(self, dag: str, *, is_on: bool) -> None:
        self.call(f"dags/{dag}", {"is_paused": not is_on}, "PATCH")

    def until(self, what: str, true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        end, failure = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                if found := true():
                    return found
            except OSError as error:  # of a server that starts, or of one that refuses: named at the end
                failure = error
            assert self.dead() == []
            time.sleep(0.3)
        return pytest.fail(f"not after {seconds:g} s: {what}; alerts: {self.world.upstream.posted}; last error: {failure!r}")

    def ended(self, dag: str, run: str) -> str:
        def state() -> str | None:
            known = str(self.call(f"dags/{dag}/dagRuns/{run}")["state"])
            return known if known in ENDED else None

        return str(self.until(f"{dag} {run} ended", state))

    def standing(self) -> set[tuple[str, str, str]]:
        """Return the newest hundred runs with their states."""
        runs = self.call("dags/~/dagRuns?limit=100&order_by=-run_after")["dag_runs"]
        return {(run["dag_id"], run["dag_run_id"], run["state"]) for run in runs}

    def is_idle(self) -> bool:
        """Return whether nothing runs and nothing waits to run.

        An event waits in a queue from the moment its task ends until the run it sets off is made. So when all runs have
        ended, both queues are empty, and there are the same runs as before, there is nothing more to come.
        """
        before = self.standing()
        if any(state not in ENDED for *_, state in before):
            return False
        queued = [self.call(f"dags/{dag}/assets/queuedEvents")["total_entries"] for dag in ("build_warehouse", "export_tables")]
        return queued == [0, 0] and self.standing() == before

    def wait_until_idle(self) -> None:
        """Wait until nothing runs and nothing waits to run."""
        self.until("nothing runs and nothing waits", self.is_idle)

    def new_alerts(self) -> list[str]:
        """Return the alerts that were not taken yet."""
        return [json.loads(text)["text"] for text in self.world.upstream.posted[len(self.taken) :]]

    def one_alert(self, fault: str, began: float) -> str:
        """Wait for the alert of a fault, then for nothing more; return it."""
        self.until(f"an alert of {fault}", self.new_alerts)
        sys.stdout.write(f"\n{fault}: {time.monotonic() - began:.0f} s\n")
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

    def builder(self, known: set[int], data: Path | None = None) -> int | None:
        """Return the process that builds in a folder of data at the moment, if it is not one of those known."""
        try:
            note = json.loads(((data or self.world.data) / ".writer.json").read_text())
        except (OSError, ValueError):
            return None
        pid = int(note["pid"])
        return pid if note["verb"] == "build" and pid not in known and psutil.pid_exists(pid) else None

    @contextlib.contextmanager
    def build_that_waits(self, line: str) -> Iterator[None]:
        """Set off a build that does not get further than its first model in Python, until the end."""
        self.wait_until_idle()
        self.world.hold.touch()
        try:
            self.change_facts(line)
            self.trigger("ingest__reference")
            yield
        finally:
            self.world.hold.unlink()

    def supervisor(self, number: int, known: set[int]) -> psutil.Process | None:
        """Return the process that runs the newest build while its try of this number runs; the task is a child of it."""
        (run,) = self.call("dags/build_warehouse/dagRuns?order_by=-run_after&limit=1")["dag_runs"]
        task = self.call(f"dags/build_warehouse/dagRuns/{run['dag_run_id']}/taskInstances/build")
        if (task["state"], task["try_number"]) != ("running", number):
            return None
        found = [one for executor in self.executors() for one in executor.children() if one.pid not in known and one.children()]
        return found[0] if len(found) == 1 else None


def write_sources(world: Any) -> None:
    """Write two more sources: one with four requests, and one that will be silent."""
    for name in (MANY, SILENT):
        path = write_source(world.settings, name) / "source.yml"
        world.environment[f"DATAMOAT_UPSTREAM_{name.upper()}"] = f"http://127.0.0.1:{world.upstream.port}"
        if name == MANY:
            lines = [f'    {one}: {{about: "Request {one}.", url: "https://example.org/{one}.json"}}' for one in REQUESTS]
            path.write_text(re.sub(r"^    entries: \{about.*$", "\n".join(lines), path.read_text(), flags=re.MULTILINE))


class Faults:
    """The faults, for a module with the fixtures `site` and `room`."""

    def test_an_exception_is_one_alert(self, site: Site) -> None:
        site.wait_until_idle()
        facts = site.world.content / "data" / "reference" / "facts.csv"
        good = facts.read_text()
        site.change_facts("youtube,many,2026-06-01")
        began = time.monotonic()
        site.trigger("ingest__reference")
        assert "facts.csv" in site.one_alert("exception", began)
        facts.write_text(good)

    def test_half_of_the_requests_refused_and_half_truncated_are_one_alert_that_names_both(self, site: Site) -> None:
        upstream = site.world.upstream
        upstream.status_of |= {"/one.json": 403, "/two.json": 403}
        upstream.answer_of |= {"/three.json": b'{"entries": [{"na', "/four.json": b'{"entries": [{"na'}
        began = time.monotonic()
        site.switch(f"ingest__{MANY}", is_on=True)
        alert = site.one_alert("refused_and_truncated", began)
        assert [name in alert for name in REQUESTS] == [True] * 4
        site.switch(f"ingest__{MANY}", is_on=False)

    def test_a_task_killed_on_every_try_is_one_alert(self, site: Site) -> None:
        killed: set[int] = set()
        with site.build_that_waits("youtube,9.0,2026-06-01"):
            for _ in range(3):
                killed.add(pid := site.until("a build is under way", lambda: site.builder(killed)))
                began = time.monotonic()
                os.kill(pid, signal.SIGKILL)
            assert "build_warehouse failed" in site.one_alert("task_killed", began)

    def test_the_supervisor_of_a_task_killed_on_every_try_is_one_alert(self, site: Site) -> None:
        killed: set[int] = set()
        left: list[psutil.Process] = []
        with site.build_that_waits("kuaishou,9.0,2026-06-01"):
            for number in range(1, 4):
                supervisor = site.until(f"try {number} of the build runs", lambda number=number: site.supervisor(number, killed))
                killed.add(supervisor.pid)
                left += supervisor.children()
                began = time.monotonic()
                supervisor.kill()
            alert = site.one_alert("supervisor_killed", began)
            for task in left:  # some went on, and waited for the lock of the first
                with contextlib.suppress(psutil.NoSuchProcess):
                    task.kill()
        assert "build_warehouse failed" in alert

    def test_a_source_that_is_silent_for_two_intervals_is_one_alert_and_good_again(self, site: Site) -> None:
        world = site.world
        site.wait_until_idle()
        source = find_source(world.content, SILENT)
        path = world.content / "old.json"
        path.write_bytes(world.listing(3))
        bring_in(world.settings, source, "entries", path, "2026-01-05")
        land_source(world.settings, source)
        began = time.monotonic()
        for _ in range(2):
            assert site.ended("watch_state", site.trigger("watch_state")) == "success"
        site.one_alert("silent_source", began)
        site.switch(f"ingest__{SILENT}", is_on=True)
        site.until("it was fetched", lambda: site.call(f"dags/ingest__{SILENT}/dagRuns")["total_entries"])
        site.wait_until_idle()
        site.trigger("watch_state")
        site.good_again(f"source {SILENT}")

    def test_a_disk_that_fills_is_one_alert_while_there_is_room_and_good_again(self, site: Site, room: Path | None) -> None:
        if room is None:
            pytest.skip("no small disk can be mounted here")
        site.wait_until_idle()
        with room.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 900_000_000)
        site.change_facts("bilibili,3.0,2026-06-01")
        newest, began = "dags/build_warehouse/dagRuns?order_by=-run_after&limit=1", time.monotonic()
        before = site.call(newest)["dag_runs"][0]["dag_run_id"]
        site.trigger("ingest__reference")

        def is_refused() -> bool:
            (run,) = site.call(newest)["dag_runs"]
            return bool(run["dag_run_id"] != before and run["state"] == "failed")

        site.until("a build was refused", is_refused)
        site.trigger("watch_state")
        site.one_alert("disk_full", began)
        room.unlink()
        site.trigger("watch_state")
        site.good_again("free disk")
