"""Many workers: every service of docker-compose.yml as a plain process, with Redis and PostgreSQL from Debian's packages.

The commands and the environment are those of the file; only the names of other machines and folders are put in place.
"""

import contextlib
import json
import os
import pwd
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
import pytest
import yaml
from alert_table import rows, shape

from datamoat.orchestration import notify

pytest.importorskip("airflow")
pytestmark = [pytest.mark.celery, pytest.mark.xdist_group("airflow")]
WORKERS = ("worker1", "worker2")
PATIENCE = 400.0
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")
GIVEN = {
    "POSTGRES_PASSWORD": "only-here-1", "REDIS_PASSWORD": "only-here-2", "AIRFLOW_JWT_SECRET": "only-here-3-at-least-32-characters-long",
    "AIRFLOW_FERNET_KEY": "b25seS1oZXJlLTQtb25seS1oZXJlLTQtb25seS1oISE=", "AIRFLOW_EXECUTOR": "CeleryExecutor",
    "AIRFLOW_SECRET_KEY": "only-here-5-only-here",
}  # fmt: skip


@dataclass
class Stack:
    """The services as processes."""

    folder: Path
    world: Any
    ports: dict[str, int]
    compose: dict[str, Any]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    airflow: Any = None
    token: str = ""

    def place(self, text: str) -> str:
        """Put a value of the file in place: its variables, the names of machines, the folders."""
        text = VARIABLE.sub(lambda match: GIVEN.get(match[1], match[3] if match[2] == "-" else "") or "", text).replace("$$", "$")
        for name, inner in (("postgres", 5432), ("redis", 6379), ("api-server", 8080)):
            text = re.sub(rf"(?<=[@/]){name}:{inner}", f"127.0.0.1:{self.ports[name]}", text)
        return re.sub(r"^/data(?=/|$)", str(self.world.data), text)

    def environment(self, service: str) -> dict[str, str]:
        given = {name: self.place(str(value)) for name, value in self.compose["services"][service]["environment"].items()}
        given["AIRFLOW__CORE__DAGS_FOLDER"] = self.world.environment["AIRFLOW__CORE__DAGS_FOLDER"]
        given["DATAMOAT_ROOT"] = str(self.world.content)
        given["AIRFLOW__API__PORT"] = str(self.ports["api-server"])
        given["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT"] = str(self.ports["scheduler"])
        own = self.world.environment
        if notify.WEBHOOK in given:  # a service without a way out reaches nothing
            has_way_out = "outside" in self.compose["services"][service]["networks"]
            given[notify.WEBHOOK] = own[notify.WEBHOOK] if has_way_out else "http://127.0.0.1:1/"
        if "AA_API_KEY" in given:
            given |= {name: own[name] for name in own if name.startswith("DATAMOAT_UPSTREAM") or name == "EXAMPLE_API_KEY"}
        kept = {name: value for name, value in own.items() if not name.startswith(("AIRFLOW", "DATAMOAT", "EXAMPLE"))}
        return {"DATAMOAT_ALLOW_LOOPBACK": "1", **kept, **given}

    def start(self, name: str, service: str | None = None, more: tuple[str, ...] = (), **extra: str) -> None:
        command = [self.place(word) for word in self.compose["services"][service or name]["command"]]
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(
            [*command, *more], env=self.environment(service or name) | extra, stdout=log, stderr=log, start_new_session=True
        )
        log.close()

    def start_redis(self) -> None:
        words = [self.place(word) for word in self.compose["services"]["redis"]["command"]]
        with (self.folder / "redis.log").open("ab") as log:
            call = [*words, "--port", str(self.ports["redis"]), "--bind", "127.0.0.1"]
            self.running["redis"] = subprocess.Popen(call, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)

    def once(self, name: str) -> None:
        self.start(name)
        assert self.running.pop(name).wait(200) == 0, (self.folder / f"{name}.log").read_text()[-2000:]

    def is_well(self, service: str, **extra: str) -> bool:
        """Run the health check of a service as the file gives it."""
        test = self.compose["services"][service]["healthcheck"]["test"]
        ports = {
            "http://127.0.0.1:8080": "api-server",
            "http://127.0.0.1:8974": "scheduler",
            "http://api-server:8080": "api-server",
        }
        words = [f"http://127.0.0.1:{self.ports[ports[word]]}" if word in ports else word for word in test[1:]]
        call = ["sh", "-c", words[0].replace("$$", "$")] if test[0] == "CMD-SHELL" else words
        done = subprocess.run(call, env=self.environment(service) | extra, capture_output=True, check=False, timeout=90)
        return done.returncode == 0

    def get(self, path: str) -> Any:
        return self.call(path)

    def call(self, path: str, body: object = None) -> Any:
        assert self.airflow is not None
        return self.airflow.call(f"/api/v2/{path}", body, self.token)

    def until(self, what: str, true: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if found := true():
                    return found
            dead = [name for name, process in self.running.items() if process.poll() is not None]
            assert dead == [], [(self.folder / f"{name}.log").read_text()[-1500:] for name in dead]
            time.sleep(0.5)
        return pytest.fail(f"not after {PATIENCE:g} s: {what}")

    def stop(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for process in self.running.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
            for process in self.running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)


@contextlib.contextmanager
def postgres(folder: Path, port: int) -> Iterator[None]:
    """Run a PostgreSQL of Debian's packages, as its own user, with the password of the file."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed: `make test-celery` brings it")
    bin_folder, data, secret = programs[-1].parent, folder / "postgres", folder / "password"
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    secret.write_text(GIVEN["POSTGRES_PASSWORD"])
    if user:
        for path in (folder, secret):
            shutil.chown(path, user.pw_uid, user.pw_gid)

    def as_user(*words: str) -> None:
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        subprocess.run(words, check=True, capture_output=True, cwd="/", **who)

    as_user(str(bin_folder / "initdb"), "-D", str(data), "-U", "airflow", "-A", "scram-sha-256", f"--pwfile={secret}")
    log, options = str(data / "log"), f"-p {port} -h 127.0.0.1 -k {data}"
    as_user(str(bin_folder / "pg_ctl"), "-D", str(data), "-w", "-l", log, "-o", options, "start")
    try:
        psql = {**os.environ, "PGPASSWORD": GIVEN["POSTGRES_PASSWORD"]}
        call = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "-d", "postgres", "-c", "create database airflow"]
        subprocess.run(call, check=True, capture_output=True, env=psql)
        yield
    finally:
        as_user(str(bin_folder / "pg_ctl"), "-D", str(data), "-m", "fast", "stop")


@pytest.fixture(scope="module")
def stack(
    world: Any, checkout: Path, free_port: Callable[[], int], api_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed: `make test-celery` brings it")
    folder = tmp_path_factory.mktemp("stack")
    compose = yaml.safe_load((checkout / "docker-compose.yml").read_text(encoding="utf-8"))
    ports = {name: free_port() for name in ("postgres", "redis", "api-server", "scheduler", "triggerer", *WORKERS)}
    made = Stack(folder, world, ports, compose)
    (world.data / "airflow").mkdir(parents=True)
    world.upstream.answer = world.listing()
    # Not below pytest's own folder: that is closed to the user PostgreSQL runs as.
    with tempfile.TemporaryDirectory() as cluster, postgres(Path(cluster), ports["postgres"]):
        try:
            made.start_redis()
            made.once("migrate")
            for name in ("api-server", "scheduler", "dag-processor"):
                made.start(name)
            made.start("triggerer", AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(ports["triggerer"]))
            for name in WORKERS:
                made.start(name, "worker", ("-H", f"{name}@here"), AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=str(ports[name]))
            passwords = world.data / "airflow" / "passwords.json"
            made.airflow = api_of(f"http://127.0.0.1:{ports['api-server']}", lambda: json.loads(passwords.read_text())["admin"])
            health = made.until("the api-server answers", lambda: made.airflow and made.airflow.call("/api/v2/monitor/health"))
            assert health
            made.token = made.until("a login", made.airflow.token)
            made.until("every DAG is read", lambda: made.get("dags?limit=100")["total_entries"] >= 10)
            made.start("watcher", DATAMOAT_WATCH_SECONDS="5")
            yield made
        finally:
            made.stop()


def exported(folder: Path) -> dict[str, str]:
    """Return the content hash of every table of an export but one.

    `change` lists what differs from the build published before: two sources that land one after the other are published
    twice, and together once.
    """
    package = json.loads((folder / "datapackage.json").read_text())
    tables = {one["path"]: one["hash"] for one in package["resources"] if str(one.get("path", "")).endswith(".csv")}
    return {path: sha256 for path, sha256 in tables.items() if path != "csv/change.csv"}


def test_two_workers_give_the_result_that_one_process_gives(stack: Stack, record_property: Callable[[str, object], None]) -> None:
    assert stack.airflow is not None
    began = time.monotonic()
    for name in ("ingest__example_board", "ingest__example_models"):
        stack.airflow.call(f"/api/v2/dags/{name}", {"is_paused": False}, stack.token, method="PATCH")

    def done() -> Any:
        runs = [run for name in ("build_warehouse", "export_tables") for run in stack.get(f"dags/{name}/dagRuns")["dag_runs"]]
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
        for run in stack.get(f"dags/{dag}/dagRuns")["dag_runs"]
        for one in stack.get(f"dags/{dag}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
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


@pytest.mark.parametrize("service", ["api-server", "scheduler", "dag-processor", "triggerer"])
def test_the_health_check_of_a_service_is_good_while_it_runs(stack: Stack, service: str) -> None:
    assert stack.is_well(service)


def test_the_health_check_of_a_worker_is_good_for_one_that_runs_and_bad_for_another(stack: Stack) -> None:
    stack.compose["services"]["worker"]["healthcheck"]["test"][1] = stack.compose["services"]["worker"]["healthcheck"]["test"][
        1
    ].replace("celery@$${HOSTNAME}", "$${WORKER}")
    assert stack.is_well("worker", WORKER="worker1@here")
    assert not stack.is_well("worker", WORKER="nobody@here")


def test_the_health_check_of_redis_is_good_with_its_password_alone(stack: Stack) -> None:
    test = stack.compose["services"]["redis"]["healthcheck"]["test"][1:]
    call = [test[0], "-p", str(stack.ports["redis"]), *test[1:]]
    given = {name: stack.place(value) for name, value in stack.compose["services"]["redis"]["environment"].items()}
    assert subprocess.run(call, env={**os.environ, **given}, capture_output=True, text=True, check=True).stdout.strip() == "PONG"
    assert "NOAUTH" in subprocess.run(call, env=dict(os.environ), capture_output=True, text=True, check=False).stdout


def alerts(stack: Stack) -> list[str]:
    return [json.loads(text)["text"] for text in stack.world.upstream.posted]


def one_alert(stack: Stack, fault: str, known: int, began: float) -> str:
    """Wait for the alert of a fault, then for nothing more; return it."""
    stack.until(f"an alert of {fault}", lambda: len(alerts(stack)) > known)
    sys.stdout.write(f"\n{fault}: {time.monotonic() - began:.0f} s\n")
    time.sleep(15)
    sent = alerts(stack)[known:]
    assert len(sent) == 1, sent
    alert = sent[0]
    assert any(shape(row).search(alert) for row in rows() if row["fault"] == fault), alert
    return alert


def test_a_build_killed_on_every_try_is_one_alert_from_the_dag_processor(stack: Stack) -> None:
    """The task's own worker reports nothing then; a dag-processor without a way out would report nothing either."""
    known = len(alerts(stack))
    facts = stack.world.content / "data" / "reference" / "facts.csv"
    facts.write_text(f"{facts.read_text().rstrip()}\nyoutube,9.0,2026-06-01\n")
    stack.world.hold.touch()
    stack.call("dags/ingest__reference/dagRuns", {"logical_date": None})
    killed: set[int] = set()

    def builder() -> int | None:
        note = json.loads((stack.world.data / ".writer.json").read_text())
        pid = int(note["pid"])
        return pid if note["verb"] == "build" and pid not in killed and Path(f"/proc/{pid}").exists() else None

    for _ in range(3):
        killed.add(pid := stack.until("a build is under way", builder))
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
    alert = one_alert(stack, "task_killed", known, began)
    stack.world.hold.unlink()
    assert "build_warehouse failed" in alert


def test_a_broker_that_is_gone_is_one_alert_for_the_run_that_was_due(stack: Stack) -> None:
    known = len(alerts(stack))
    redis = stack.running.pop("redis")
    redis.kill()
    redis.wait(30)
    began = time.monotonic()
    stack.call("dags/watch_state/dagRuns", {"logical_date": None})
    one_alert(stack, "redis_gone", known, began)
    stack.start_redis()
    run = stack.call("dags/watch_state/dagRuns", {"logical_date": None})["dag_run_id"]
    stack.until("tasks run again", lambda: stack.get(f"dags/watch_state/dagRuns/{run}")["state"] == "success")


def test_a_scheduler_that_is_dead_is_one_alert_and_good_again(stack: Stack) -> None:
    known = len(alerts(stack))
    scheduler = stack.running.pop("scheduler")
    os.killpg(scheduler.pid, signal.SIGKILL)
    scheduler.wait(30)
    one_alert(stack, "scheduler_dead", known, time.monotonic())
    stack.start("scheduler")
    stack.until("it is good again", lambda: len(alerts(stack)) == known + 2)
    assert alerts(stack)[-1] == "datamoat: Airflow's scheduler: good again"
