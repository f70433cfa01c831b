"""Many workers: every service of docker-compose.yml as a plain process, with Redis and PostgreSQL from Debian's packages.

Commands, environment, ports, names and networks are those of the file; each service has a network namespace and a host name of its own,
and sees the networks that the file gives it. Only the folders are put in place.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import networks
import pytest
import yaml

from datamoat.orchestration import notify

pytest.importorskip("airflow")
psutil = pytest.importorskip("psutil")  # Airflow brings it
from faults import HURRY, Faults, Site, small_disk, write_sources  # noqa: E402

pytestmark = [pytest.mark.celery, pytest.mark.xdist_group("airflow")]
WORKERS = ("worker1", "worker2")
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")
GIVEN = {
    "POSTGRES_PASSWORD": "only-here-1", "REDIS_PASSWORD": "only-here-2", "AIRFLOW_JWT_SECRET": "only-here-3-at-least-32-characters-long",
    "AIRFLOW_FERNET_KEY": "b25seS1oZXJlLTQtb25seS1oZXJlLTQtb25seS1oISE=", "AIRFLOW_EXECUTOR": "CeleryExecutor",
    "AIRFLOW_SECRET_KEY": "only-here-5-only-here",
}  # fmt: skip


def service_of(name: str) -> str:
    """Return the service of the file that a process is one of."""
    return "worker" if name in WORKERS else name


@dataclass
class Stack(Site):
    """The services as processes."""

    folder: Path = Path()
    compose: dict[str, Any] = field(default_factory=dict)
    net: Any = None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    more: dict[str, dict[str, str]] = field(default_factory=dict)  # environment by process, beside the file's

    def executors(self) -> list[Any]:
        return [psutil.Process(self.running[name].pid) for name in WORKERS]

    def dead(self) -> list[str]:
        ended = [name for name, process in self.running.items() if process.poll() is not None]
        return [f"{name}: {(self.folder / f'{name}.log').read_text()[-1500:]}" for name in ended]

    def data(self, name: str) -> str:
        """Return the folder that a process has as `/data`."""
        return self.more.get(name, {}).get("DATAMOAT_DATA", str(self.world.data))

    def place(self, name: str, text: str) -> str:
        """Put the variables and the folder of data in place in a value of the file."""
        text = VARIABLE.sub(lambda match: GIVEN.get(match[1], match[3] if match[2] == "-" else "") or "", text).replace("$$", "$")
        return re.sub(r"^/data(?=/|$)", self.data(name), text)

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a process: the file's, with the world's content, webhook and publishers."""
        given = {
            key: self.place(name, str(value)) for key, value in self.compose["services"][service_of(name)]["environment"].items()
        }
        own = self.world.environment
        given |= {key: own[key] for key in ("AIRFLOW__CORE__DAGS_FOLDER", "DATAMOAT_ROOT")}
        given |= {notify.WEBHOOK: own[notify.WEBHOOK]} if notify.WEBHOOK in given else {}
        if "AA_API_KEY" in given:
            given |= {key: own[key] for key in own if key.startswith("DATAMOAT_UPSTREAM") or key == "EXAMPLE_API_KEY"}
        kept = {key: value for key, value in own.items() if not re.match("AIRFLOW|DATAMOAT|EXAMPLE|.*_PROXY", key, re.IGNORECASE)}
        return {**kept, "DATAMOAT_ALLOW_LOOPBACK": "1", "HOSTNAME": name, **given, **HURRY, **self.more.get(name, {})}

    def start(self, name: str) -> None:
        """Start a process of the file."""
        command = [self.place(name, word) for word in self.compose["services"][service_of(name)]["command"]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.net.inside(name, *command), env=self.environment(name), stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True,
            )  # fmt: skip

    def once(self, name: str) -> None:
        self.start(name)
        assert self.running.pop(name).wait(200) == 0, (self.folder / f"{name}.log").read_text()[-2000:]

    def check(self, name: str, **more: str) -> Any:
        """Run the health check of a process as the file gives it, where it runs."""
        test = [word.replace("$$", "$") for word in self.compose["services"][service_of(name)]["healthcheck"]["test"]]
        words = ["sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]
        environment = self.environment(name) | more
        return subprocess.run(
            self.net.inside(name, *words), env=environment, capture_output=True, text=True, check=False, timeout=90
        )

    def get(self, path: str) -> Any:
        return self.call(path)

    def stop(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for process in self.running.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
            for process in self.running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)


@contextlib.contextmanager
def postgres(net: networks.Networks) -> Iterator[None]:
    """Run a PostgreSQL of Debian's packages as its own user, with the password of the file, for whoever reaches it."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed: `make test-celery` brings it")
    with tempfile.TemporaryDirectory() as name:  # not below pytest's own folder: that is closed to other users
        folder, secret = Path(name), Path(name) / "password"
        data, bin_folder = folder / "data", programs[-1].parent
        secret.write_text(GIVEN["POSTGRES_PASSWORD"])
        for path in (folder, secret):
            shutil.chown(path, "postgres", "postgres")

        def as_user(*words: str) -> None:
            user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
            given = {**os.environ, "PGPASSWORD": GIVEN["POSTGRES_PASSWORD"]}
            subprocess.run(net.inside("postgres", *user, *words), check=True, capture_output=True, cwd="/", env=given)

        control = (str(bin_folder / "pg_ctl"), "-D", str(data))
        as_user(str(bin_folder / "initdb"), "-D", str(data), "-U", "airflow", "-A", "scram-sha-256", f"--pwfile={secret}")
        with (data / "pg_hba.conf").open("a") as file:
            file.write("host all all all scram-sha-256\n")
        as_user(*control, "-w", "-l", str(data / "log"), "-o", f"-h * -k {data}", "start")
        try:
            as_user("psql", "-h", "127.0.0.1", "-U", "airflow", "-d", "postgres", "-c", "create database airflow")
            yield
        finally:
            as_user(*control, "-m", "fast", "stop")


@contextlib.contextmanager
def services(world: Any, api_of: Callable[..., Any], folder: Path, more: dict[str, dict[str, str]]) -> Iterator[Stack]:
    """Run all services of the file until the end; `more` is the environment of a process beside the file's."""
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed: `make test-celery` brings it")
    if not networks.can_be_made():
        pytest.skip("network namespaces need root and the tools of util-linux and iproute2")
    compose = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8"))
    names = [one for name in compose["services"] for one in (WORKERS if name == "worker" else (name,))]
    ports = [int(port) for port in {world.upstream.port, *(one.get("PORT", 0) for one in more.values())} if port]
    on = {name: compose["services"][service_of(name)]["networks"] for name in names}
    (world.data / "airflow").mkdir(parents=True)
    with networks.Networks(compose["networks"], on, ports).up() as net, postgres(net):
        address = f"http://{net.address('api-server', 'outside')}:8080"  # the port that the file publishes
        passwords = world.data / "airflow" / "passwords.json"
        api = api_of(address, lambda: json.loads(passwords.read_text())["admin"])
        made = Stack(world, api, folder=folder, compose=compose, net=net, more=more)
        try:
            made.start("redis")
            made.once("migrate")
            for name in ("api-server", "scheduler", "dag-processor", "triggerer", *WORKERS):
                made.start(name)
            made.until("the api-server responds", lambda: api.call("/api/v2/monitor/health"))
            made.token = made.until("a login", api.token)
            made.until("every DAG is read", lambda: made.call("dags?limit=100")["total_entries"] >= 12)
            made.start("watcher")
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def room(world: Any) -> Iterator[Path | None]:
    """Put the data folder on a small disk; return the file that fills it."""
    with small_disk(world) as filler:
        yield filler


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


def exported(folder: Path) -> dict[str, str]:
    """Return the content hash of every table of an export but one.

    `change` lists what differs from the build published before: two sources that land one after the other are published
    twice, and together once.
    """
    package = json.loads((folder / "datapackage.json").read_text())
    tables = {one["path"]: one["hash"] for one in package["resources"] if str(one.get("path", "")).endswith(".csv")}
    return {path: sha256 for path, sha256 in tables.items() if path != "csv/change.csv"}


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
    alone = {**stack.world.environment, "DATAMOAT_DATA": str(stack.folder / "alone")}
    shutil.copytree(stack.world.data / "snapshots", stack.folder / "alone" / "snapshots")
    for verb in ("run", "export"):
        subprocess.run(
            [sys.executable, "-m", "datamoat", verb], env=alone, check=True, capture_output=True, cwd=stack.world.content
        )
    assert exported(next((stack.folder / "alone" / "exports").glob("datamoat-*"))) == exported(folder) != {}
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
    assert {name: reaches(name, "postgres", 5432) for name in found} == dict.fromkeys(found, "")
    assert {name for name, error in found.items() if error} == {"postgres", "redis", "migrate", "triggerer"}


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
        site.until("nothing runs", site.is_idle)
        redis = site.running.pop("redis")
        redis.kill()
        redis.wait(30)
        began = time.monotonic()
        site.trigger("watch_state")
        site.one_alert("redis_gone", began)
        site.start("redis")
        assert site.ended("watch_state", site.trigger("watch_state")) == "success"

    def test_a_scheduler_that_is_dead_is_one_alert_and_good_again(self, site: Stack) -> None:
        scheduler = site.running.pop("scheduler")
        os.killpg(scheduler.pid, signal.SIGKILL)
        scheduler.wait(30)
        site.one_alert("scheduler_dead", time.monotonic())
        site.start("scheduler")
        site.good_again("Airflow's scheduler")
