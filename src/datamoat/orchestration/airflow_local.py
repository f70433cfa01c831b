"""Airflow on this machine: three processes on loopback with a home of their own inside the data folder.

    python -m datamoat.orchestration.airflow_local start [PORT]     starts what is not running, and says where it is and who may log in
    python -m datamoat.orchestration.airflow_local stop             stops it
    python -m datamoat.orchestration.airflow_local airflow WORD …   says something to it by Airflow's own command line
    python -m datamoat.orchestration.airflow_local health URL PART  exits 0 if a part of a running Airflow says it is well (for containers)

Meant for one person at one machine: SQLite, one executor, four tasks at a time, an address that only this machine
reaches, one user with a generated password. `docker-compose.yml` is for everything larger.
"""

import base64
import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamoat.errors import DatamoatError, ModelFailedError, UsageError
from datamoat.orchestration import schedule
from datamoat.project.sources import read_sources
from datamoat.settings import read_settings
from datamoat.storage.files import write_json

# All three write their logs where the api-server reads them; the scheduler's server for logs would listen to everybody.
SERVICES = {"api-server": (), "dag-processor": (), "scheduler": ("--skip-serve-logs",)}
USER = "admin"
PORT = 8080
START_SECONDS = 300.0
STOP_SECONDS = 30.0
LOCKED, LOCKED_TRIES = 503, 20
LOCKED_SECONDS = 20  # how long one writer of SQLite waits for another; 5 unless said
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # nobody stands between us and our own server


@dataclass(frozen=True)
class Airflow:
    """One Airflow home and how to reach the server that belongs to it."""

    home: Path
    port: int
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def passwords(self) -> Path:
        """The file Airflow writes its generated password to."""
        return self.home / "passwords.json"

    @property
    def record(self) -> Path:
        """The file that says which processes were started."""
        return self.home / "processes.json"

    def call(self, path: str, body: object = None, token: str | None = None, method: str | None = None) -> Any:  # noqa: ANN401
        """Ask the server and return its JSON; ask again while it says that its database is locked.

        On SQLite one process writes at a time, and Airflow answers 503 to a request that met another writer: nothing
        was done, and the same request may be put again.

        Raises:
            urllib.error.URLError: It does not answer, or answers with an error.
        """
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310  (loopback, http)
        for patience in reversed(range(LOCKED_TRIES)):
            try:
                with OPEN(asked, timeout=2 * LOCKED_SECONDS) as answer:
                    text = answer.read()
                break
            except urllib.error.HTTPError as refusal:
                if refusal.code != LOCKED or not patience:
                    raise
                time.sleep(1)
        return json.loads(text) if text else None

    def token(self) -> str:
        """Log in as the one user there is and return a token."""
        password = json.loads(self.passwords.read_text())[USER]
        return str(self.call("/auth/token", {"username": USER, "password": password})["access_token"])


def describe(home: Path, port: int, given: Mapping[str, str] = os.environ) -> Airflow:
    """Return the Airflow of a home; settings that the environment has already are kept.

    Connections to SQLite are not pooled: Airflow may leave a read open in one that met a locked database, and every
    later write by the same connection would be refused at once.
    """
    settings = read_settings()
    keys = _keys(home)
    here = f"http://127.0.0.1:{port}"
    dags = next((folder for folder in (settings.content / "dags", Path.cwd() / "dags") if folder.is_dir()), Path("dags"))
    wanted = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{here}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout={LOCKED_SECONDS}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_ENABLED": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"{here}/",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "DATAMOAT_ROOT": str(settings.content),
        "DATAMOAT_DATA": str(settings.data),
    }
    direct = ",".join(filter(None, (given.get("NO_PROXY") or given.get("no_proxy"), "127.0.0.1")))
    always = {"AIRFLOW_HOME": str(home), "NO_PROXY": direct, "no_proxy": direct}  # tasks talk to the server beside them
    return Airflow(home, port, {**wanted, **given, **always})


def start(airflow: Airflow) -> str:
    """Make the database, start the processes that do not run, wait until they are well, make the pools; return a token.

    Raises:
        UsageError: The port is taken by somebody else.
        ModelFailedError: A process died or was not well in time; its log is named.
    """
    logs = airflow.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    pids = running(airflow)
    for name, pid in _recorded(airflow).items():
        if name not in pids:
            _end_orphans(pid)
    if "api-server" not in pids:
        _refuse_a_taken_port(airflow.port)
    if not pids:
        _run(airflow, logs / "migrate.log", "db", "migrate")
    for name, flags in SERVICES.items():
        if name not in pids:
            with (logs / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(  # noqa: S603  (our own program, no shell)
                    [_program(), name, *flags], env=dict(airflow.environment), stdout=log, stderr=log, start_new_session=True
                )
            pids[name] = process.pid
            process.returncode = 0  # it is meant to outlive this process; `_is_ours` collects it if it does not
            write_json(airflow.record, {"port": airflow.port, "pids": pids})
    token = _wait(airflow, logs)
    for name, about in schedule.pools(read_sources(Path(airflow.environment["DATAMOAT_ROOT"]))).items():
        with contextlib.suppress(urllib.error.HTTPError):  # it is there already
            airflow.call("/api/v2/pools", {"name": name, **about}, token)
    return token


def stop(airflow: Airflow) -> list[str]:
    """Stop what was started, gently first; return the names of what was running."""
    alive, groups = running(airflow), _recorded(airflow).values()
    for sign, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        for pid in alive.values():
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.killpg(pid, sign)
        end = time.monotonic() + seconds
        while running(airflow) and time.monotonic() < end:
            time.sleep(0.2)
        if not running(airflow):
            break
    for pid in groups:
        _end_orphans(pid)
    airflow.record.unlink(missing_ok=True)
    return list(alive)


def is_well(address: str, part: str | None = None) -> bool:
    """Ask a server how a part of Airflow is: an api-server by part, a scheduler's own health address without."""
    try:
        path = "/health" if part is None else "/api/v2/monitor/health"
        with OPEN(address + path, timeout=10) as answer:
            said = answer.read()
        return part is None or bool(json.loads(said)[part]["status"] == "healthy")
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return False  # a scheduler that is not well answers 503, which is an error here


def running(airflow: Airflow) -> dict[str, int]:
    """Return the processes on record that are alive and still ours."""
    return {name: pid for name, pid in _recorded(airflow).items() if _is_ours(pid)}


def main(words: list[str]) -> int:
    """Start or stop the Airflow of this data folder, or say how one is."""
    verb = words[0] if words else ""
    if verb == "health" and words[1:]:
        return 0 if is_well(words[1], words[2] if words[2:] else None) else 1
    home = read_settings().data / "airflow"
    if verb == "airflow" and words[1:]:
        return subprocess.run([_program(), *words[1:]], env=dict(describe(home, PORT).environment), check=False).returncode  # noqa: S603
    if verb == "stop":
        stopped = stop(describe(home, PORT))
        sys.stdout.write(f"stopped {', '.join(stopped)}\n" if stopped else "nothing was running\n")
        return 0
    if verb != "start" or (words[1:] and not words[1].isdecimal()):
        sys.stderr.write(str(__doc__))
        return 2
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    port = int(words[1]) if words[1:] else PORT
    with contextlib.suppress(OSError, ValueError, KeyError):
        if running(describe(home, port)):
            port = json.loads((home / "processes.json").read_text())["port"]
    airflow = describe(home, port)
    began = time.monotonic()
    sys.stdout.write(f"starting {', '.join(SERVICES)} …\n")
    sys.stdout.flush()
    token = start(airflow)
    dags = airflow.call("/api/v2/dags?limit=200", token=token)["dags"]
    broken = airflow.call("/api/v2/importErrors", token=token)["import_errors"]
    off = [one["dag_id"] for one in dags if one["is_paused"]]
    sys.stdout.write(
        f"Airflow is at {airflow.address} after {time.monotonic() - began:.0f} s, {len(dags)} flows\n"
        f"  log in    {USER} / {json.loads(airflow.passwords.read_text())[USER]}\n"
        f"  switched off, because they ask a publisher: {', '.join(off) or 'none'}\n"
        + "".join(f"  not read  {one['filename']}: {one['stack_trace'].strip().splitlines()[-1]}\n" for one in broken)
        + f"  logs in   {home / 'logs'}\n"
        "  stop it   make airflow-stop\n"
    )
    return 0


def _keys(home: Path) -> dict[str, str]:
    """Return the two secrets of a home, made once and readable by their owner alone."""
    path = home / "keys.json"
    if not path.is_file():
        home.mkdir(parents=True, exist_ok=True)
        made = {"jwt": secrets.token_urlsafe(48), "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


def _refuse_a_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as failure:
            raise UsageError(
                f"port {port} is taken", "this machine", "stop what listens there, or say `make airflow PORT=18080`."
            ) from failure


def _wait(airflow: Airflow, logs: Path) -> str:
    """Wait until scheduler and dag-processor are well and every file of flows is read; return a token."""
    end = time.monotonic() + START_SECONDS
    missing = "no process was well"
    while time.monotonic() < end:
        alive = running(airflow)
        for name in SERVICES:
            if name not in alive:
                raise ModelFailedError(f"{name} died at once", str(logs / f"{name}.log"), "read the end of that file.")
        with contextlib.suppress(OSError, ValueError, KeyError, http.client.HTTPException):
            health = airflow.call("/api/v2/monitor/health")
            if all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor")):
                token = airflow.token()
                unread = _unread(airflow, token)
                if not unread:
                    return token
                missing = f"no flow was read from {', '.join(sorted(unread))}"
        time.sleep(0.5)
    raise ModelFailedError(f"{missing} after {START_SECONDS:g} s", str(logs), "read the logs there.")


def _unread(airflow: Airflow, token: str) -> set[str]:
    """Return the files of flows that Airflow knows neither a flow nor an error of yet."""
    known = {one["relative_fileloc"] for one in airflow.call("/api/v2/dags?limit=200", token=token)["dags"]}
    known |= {Path(one["filename"]).name for one in airflow.call("/api/v2/importErrors", token=token)["import_errors"]}
    return {path.name for path in Path(airflow.environment["AIRFLOW__CORE__DAGS_FOLDER"]).glob("*.py")} - known


def _run(airflow: Airflow, log: Path, *words: str) -> None:
    done = subprocess.run([_program(), *words], env=dict(airflow.environment), capture_output=True, text=True, check=False)  # noqa: S603
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise ModelFailedError(f"airflow {' '.join(words)} ended with {done.returncode}", str(log), "read the end of that file.")


def _program() -> str:
    """Return the airflow of this interpreter's environment.

    Raises:
        UsageError: There is none.
    """
    path = Path(sys.executable).parent / "airflow"
    if not path.is_file():
        raise UsageError("Airflow is not installed here", str(path.parent), "run `make airflow`, which brings it.")
    return str(path)


def _recorded(airflow: Airflow) -> dict[str, int]:
    """Return the processes that were started, whether they are alive or not."""
    try:
        pids: dict[str, int] = json.loads(airflow.record.read_text())["pids"]
    except (OSError, ValueError, KeyError):
        return {}
    return pids


def _end_orphans(group: int) -> None:
    """End what a process that was killed has left behind: its workers wait for work for ever."""
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):
            if os.getpgid(pid) == group and b"airflow" in (folder / "cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


def _is_ours(pid: int) -> bool:
    """Tell whether a process is alive and an airflow, so that a number used again is not taken for it."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        words, leads = Path(f"/proc/{pid}/cmdline").read_bytes(), os.getpgid(pid) == pid  # each was started in a group of its own
    except OSError:
        return Path("/proc").is_dir() is False and _signals(pid)
    return leads and b"airflow" in words


def _signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DatamoatError as failure:
        sys.stderr.write(f"{failure}\n")
        sys.exit(failure.exit_code)
