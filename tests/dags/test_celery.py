"""Many workers: the services of docker-compose.yml give what one process gives, and every fault is one alert."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytest.importorskip("airflow")
from faults import Faults, write_sources
from stack import WORKERS, Stack, alone, exported, service_of, services

pytestmark = [pytest.mark.celery, pytest.mark.xdist_group("airflow")]


@pytest.fixture(scope="module")
def stack(world: Any, room: Path | None, api_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    del room
    write_sources(world)
    with services(world, api_of, tmp_path_factory.mktemp("stack"), {}) as made:
        yield made


@pytest.fixture(scope="module")
def site(stack: Stack) -> Stack:
    """Return the stack, for the faults that it has in common with one machine."""
    return stack


def test_two_workers_give_the_result_that_one_process_gives(stack: Stack, record_property: Callable[[str, object], None]) -> None:
    began = time.monotonic()
    for name in ("ingest__example_board", "ingest__example_models"):
        stack.switch(name, is_on=True)

    def done() -> Any:
        runs = [run for name in ("build_warehouse", "export_tables") for run in stack.call(f"dags/{name}/dagRuns")["dag_runs"]]
        if not runs or any(run["state"] not in {"success", "failed"} for run in runs):
            return None
        if not stack.world.settings.published.is_file():
            return None
        with duckdb.connect(str(stack.world.settings.published), read_only=True) as con:
            n, build_id = con.sql("select (select count(*) from marts.listed), build_id from meta.build").fetchall()[0]
        folder = stack.world.settings.exports / f"datamoat-{build_id}"
        return (runs, folder) if n == 6 and (folder / "datapackage.json").is_file() else None

    runs, folder = stack.until("both sources are built and exported", done)
    took = time.monotonic() - began
    assert {run["state"] for run in runs} == {"success"}
    tasks = [
        one
        for dag in ("ingest__reference", "ingest__example_board", "ingest__example_models", "build_warehouse", "export_tables")
        for run in stack.call(f"dags/{dag}/dagRuns")["dag_runs"]
        for one in stack.call(f"dags/{dag}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
    ]
    ran = {name: (stack.folder / f"{name}.log").read_text(errors="replace").count("succeeded in") for name in WORKERS}
    assert all(n > 0 for n in ran.values()), ran
    spans = sorted(
        (one["start_date"], one["end_date"])
        for one in tasks
        if one["pool"] == "datamoat_writer" and one["start_date"] and one["end_date"]
    )
    assert len(spans) >= 4
    assert [(a, b) for a, b in pairwise(spans) if a[1] > b[0]] == []  # one writer at a time
    assert alone(stack.world, stack.world.data / "snapshots", stack.folder / "alone") == exported(folder) != {}
    measured = f"both sources to an export in {took:.1f} s; tasks {ran}, load {os.getloadavg()[0]:.1f}"
    record_property("measured", measured)


def test_a_service_reaches_what_its_networks_have_and_nothing_else(stack: Stack) -> None:
    """The publisher and the webhook are outside: whatever is on `inside` alone has no route to them."""

    def reaches(name: str, host: str, port: int) -> str:
        code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
        call = stack.net.inside(name, sys.executable, "-c", code, host, str(port))
        return subprocess.run(call, capture_output=True, text=True, check=False).stderr.strip().rpartition("\n")[2]

    outside, port = f"{stack.net.subnets['outside']}.1", stack.world.upstream.port
    found = {name: reaches(name, outside, port) for name in stack.net.services}
    on = {name: stack.compose["services"][service_of(name)]["networks"] for name in found}
    assert {name for name, error in found.items() if not error} == {name for name in on if "outside" in on[name]}
    assert {error for error in found.values() if error} == {"OSError: [Errno 101] Network is unreachable"}
    assert {name for name, error in found.items() if error} == {"postgres", "redis", "migrate", "triggerer"}
    database = {name for name in found if not reaches(name, "postgres", 5432)}
    assert database == {"postgres", "migrate", "api-server", "scheduler", "dag-processor", "triggerer"}, "no worker, no watcher"


@pytest.mark.parametrize("name", ["api-server", "scheduler", "dag-processor", "triggerer", "watcher", *WORKERS])
def test_the_health_check_of_a_service_is_good_while_it_runs(stack: Stack, name: str) -> None:
    done = stack.check(name)
    assert done.returncode == 0, done.stderr


def test_the_health_check_of_a_worker_is_bad_for_one_that_does_not_run(stack: Stack) -> None:
    assert stack.check("worker1", HOSTNAME="nobody").returncode != 0


def test_the_health_check_of_redis_is_good_with_its_password_alone(stack: Stack) -> None:
    assert stack.check("redis").stdout.strip() == "PONG"
    assert "NOAUTH" in stack.check("redis", REDISCLI_AUTH="").stdout


class TestInContainers(Faults):
    """With workers, in the networks of the file."""

    def test_a_broker_that_is_gone_is_one_alert_for_the_run_that_was_due(self, site: Stack) -> None:
        site.wait_until_idle()
        redis = site.running.pop("redis")
        redis.kill()
        redis.wait(30)
        began = time.monotonic()
        site.trigger("watch_state")
        site.one_alert("redis_gone", began)
        site.start("redis")
        assert site.ended("watch_state", site.trigger("watch_state")) == "success"

    def test_a_broker_that_is_gone_while_a_task_runs_is_one_alert_and_the_run_goes_on(self, site: Stack) -> None:
        """Airflow's scheduler ends then, and again each time Docker starts it, until Redis is there."""
        with site.build_that_waits("snapchat,11.0,2026-05-01"):
            site.until("a build is under way", lambda: site.builder(set()))
            redis = site.running.pop("redis")
            site.may_end = {"scheduler"}
            redis.kill()
            redis.wait(30)
            site.one_alert("scheduler_dead", time.monotonic())
            site.start("redis")
            site.good_again("Airflow's scheduler")
            site.may_end = set()
        site.wait_until_idle()
        assert site.call("dags/build_warehouse/dagRuns?order_by=-run_after&limit=1")["dag_runs"][0]["state"] == "success"
        assert site.new_alerts() == []

    def test_a_scheduler_that_is_dead_is_one_alert_and_good_again(self, site: Stack) -> None:
        scheduler = site.running.pop("scheduler")
        os.killpg(scheduler.pid, signal.SIGKILL)
        scheduler.wait(30)
        site.one_alert("scheduler_dead", time.monotonic())
        site.start("scheduler")
        site.good_again("Airflow's scheduler")
