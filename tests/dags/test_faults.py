"""The fault table, on one machine: each fault is brought about on a real scheduler, and is exactly one alert.

`make airflow` itself runs, as a process; alerts go to a webhook on loopback. The faults and the shapes of their alerts are rows of
`alerts.csv`, from which the table of `docs/operations.md` is made. Redis is in `test_celery.py`.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow")
psutil = pytest.importorskip("psutil")  # Airflow brings it
from faults import HURRY, Faults, Site, write_sources  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


@dataclass
class Machine(Site):
    """A running `make airflow`."""

    process: Any = None

    def executors(self) -> list[Any]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "scheduler" in " ".join(child.cmdline())]


@pytest.fixture(scope="module")
def site(world: Any, room: Path | None, free_port: Callable[[], int], api_of: Callable[..., Any]) -> Iterator[Machine]:
    port, home = free_port(), world.data / "airflow"
    write_sources(world)
    given = {
        **{name: value for name, value in world.environment.items() if name != "AIRFLOW_HOME"},
        **HURRY,
        "DATAMOAT_LATE_MINUTES": "60",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    }
    call = [sys.executable, "-m", "datamoat.orchestration.airflow_local", "start", str(port)]
    log = (world.content / "start.log").open("w")
    process = subprocess.Popen(call, env=given, stdout=log, stderr=log, text=True, cwd=world.content, start_new_session=True)

    def password() -> str:
        known = (home / "passwords.json").read_text()
        if not known:
            raise FileNotFoundError  # Airflow writes it when it starts
        return str(json.loads(known)["admin"])

    api = api_of(f"http://127.0.0.1:{port}", password)
    made = Machine(world, api, process=process)
    try:
        made.token = made.until("a login", api.token)
        made.until("every DAG is read", lambda: made.call("dags?limit=100")["total_entries"] >= 12)
        made.until("the first build is exported", lambda: made.call("dags/export_tables/dagRuns")["total_entries"] >= 1)
        made.wait_until_idle()
        assert made.new_alerts() == []
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            process.wait(60)
        log.close()


class TestOnOneMachine(Faults):
    """Under LocalExecutor, with SQLite."""

    def test_a_scheduler_that_is_killed_is_one_alert(self, site: Machine) -> None:
        (scheduler,) = site.executors()
        began = time.monotonic()
        scheduler.kill()
        site.one_alert("scheduler_killed", began)
        assert site.process.wait(60) == 1
