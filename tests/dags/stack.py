"""Every service of docker-compose.yml as a plain process, with Redis and PostgreSQL from Debian's packages.

Commands, environment, ports, names and networks are those of the file; each service has a network namespace and a host name of its own,
and sees the networks that the file gives it. Replaced are the folders, the publishers and the webhook, which are on this machine, and
waits, which are shorter (`HURRY`).
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networks
import psutil
import pytest
import yaml
from faults import HURRY, Site

from datamoat.orchestration import notify

WORKERS, ALL_QUEUES = ("worker1", "worker2"), "default,writer"
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
    may_end: set[str] = field(default_factory=set)  # what ends while something it needs is gone, until that is back
    more: dict[str, dict[str, str]] = field(default_factory=dict)  # environment by process, beside the file's

    def executors(self) -> list[Any]:
        return [psutil.Process(self.running[name].pid) for name in WORKERS]

    def dead(self) -> list[str]:
        """Start again what may end, as Docker does by `restart: unless-stopped`; return the end of the log of all else that ended."""
        ended = [name for name, process in self.running.items() if process.poll() is not None]
        for name in self.may_end.intersection(ended):
            self.start(name)
        return [f"{name}: {(self.folder / f'{name}.log').read_text()[-1500:]}" for name in ended if name not in self.may_end]

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
        given = self.compose["services"][service_of(name)]["command"]
        queues = self.more.get(name, {}).get("QUEUES")  # of a host that shares no disk with the others
        command = [queues if queues and word == ALL_QUEUES else self.place(name, word) for word in given]
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
        as_user(*control, "-w", "-l", str(data / "log"), "-o", f"-h 0.0.0.0 -k {data}", "start")
        try:
            as_user("psql", "-h", "127.0.0.1", "-U", "airflow", "-d", "postgres", "-c", "create database airflow")
            yield
        finally:
            as_user(*control, "-m", "fast", "stop")


@contextlib.contextmanager
def services(
    world: Any, api_of: Callable[..., Any], folder: Path, more: dict[str, dict[str, str]], ports: tuple[int, ...] = ()
) -> Iterator[Stack]:
    """Run all services of the file until the end.

    Args:
        world: Content, publishers and the folder of data.
        api_of: Makes a client of the REST API.
        folder: For logs.
        more: The environment of a process beside the file's.
        ports: Servers on loopback of this machine that services reach besides the publishers.
    """
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed: `make test-celery` brings it")
    if not networks.can_be_made():
        pytest.skip("network namespaces need root and the tools of util-linux and iproute2")
    compose = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8"))
    names = [one for name in compose["services"] for one in (WORKERS if name == "worker" else (name,))]
    on = {name: compose["services"][service_of(name)]["networks"] for name in names}
    (world.data / "airflow").mkdir(parents=True)
    with networks.Networks(compose["networks"], on, [world.upstream.port, *ports]).up() as net, postgres(net):
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


def exported(folder: Path) -> dict[str, str]:
    """Return the content hash of every table of an export but one.

    `change` lists what differs from the build published before: two sources that land one after the other are published
    twice, and together once.
    """
    package = json.loads((folder / "datapackage.json").read_text())
    tables = {one["path"]: one["hash"] for one in package["resources"] if str(one.get("path", "")).endswith(".csv")}
    return {path: sha256 for path, sha256 in tables.items() if path != "csv/change.csv"}


def alone(world: Any, snapshots: Path, data: Path) -> dict[str, str]:
    """Return what one process exports that has the same snapshots."""
    shutil.copytree(snapshots, data / "snapshots")
    environment = {**world.environment, "DATAMOAT_DATA": str(data)}
    for verb in ("run", "export"):
        call = [sys.executable, "-m", "datamoat", verb]
        subprocess.run(call, env=environment, check=True, capture_output=True, cwd=world.content)
    return exported(next((data / "exports").glob("datamoat-*")))
