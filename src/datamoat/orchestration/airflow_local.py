"""Airflow on this machine: four processes on loopback, with a home of their own in the data folder.

    python -m datamoat.orchestration.airflow_local start [PORT]     runs it in the foreground until Ctrl-C, and prints its address and login
    python -m datamoat.orchestration.airflow_local airflow WORD …   runs Airflow's own command line on that home
    python -m datamoat.orchestration.airflow_local health URL PART  exits 0 if a part of a running Airflow is healthy (for containers)
    python -m datamoat.orchestration.airflow_local secrets          exits 1 if a secret of the environment is an example's or short, and makes the file of logins private
    python -m datamoat.orchestration.airflow_local watch URL        sends an alert when a part is not healthy for a minute (for containers)

For one person on one machine: SQLite, one executor, four tasks at a time, one user with a generated password.
`docker-compose.yml` is for everything larger. Airflow's own `standalone` is not used: in 3.3.2 it serves logs to every network
interface, on two fixed ports, and has no option against it.
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
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from datamoat.errors import DatamoatError, ModelFailedError, UsageError
from datamoat.log import log, show_log, step
from datamoat.orchestration import notify, schedule
from datamoat.project.sources import read_sources
from datamoat.settings import read_settings

# All three write their logs where the api-server reads them, so the scheduler need not serve its own.
# The triggerer has nothing to do here; without it the first page shows it as failed, for ever.
QUIET = ("--skip-serve-logs",)
SERVICES: dict[str, tuple[str, ...]] = {"api-server": (), "dag-processor": (), "scheduler": QUIET, "triggerer": QUIET}
EXAMPLES = ("change-me", base64.b64encode(b"change-me").decode())
SECRETS = {  # what containers need, and the shortest that is accepted
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": 16, "AIRFLOW__CORE__FERNET_KEY": 44, "AIRFLOW__API_AUTH__JWT_SECRET": 32,
    "AIRFLOW__API__SECRET_KEY": 16, "AIRFLOW__CELERY__BROKER_URL": 16,
}  # fmt: skip
USER = "admin"
PASSWORDS = "passwords.json"
PORT = 8080
PARTS = ("metadatabase", "scheduler", "dag_processor")  # what an alert is sent about when it is not healthy
WATCH_SECONDS = float(os.environ.get("DATAMOAT_WATCH_SECONDS") or 30)  # between two looks
# Looks in a row before a line is sent: one bad look is a restart, and a part that ends again and again is healthy for a while each time.
BAD_LOOKS, GOOD_LOOKS = 2, 5
WATCHED = Path(os.environ.get("TMPDIR") or "/tmp") / "datamoat-watched"  # noqa: S108  (touched after each look: the watcher's own health)
START_SECONDS = 300.0
STOP_SECONDS = 30.0
LOCKED_SECONDS = 20  # how long one writer of SQLite waits for another; its default is 5
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # never through a proxy: it is our own server


@dataclass(frozen=True)
class Airflow:
    """One Airflow home, the port of its server, and the environment of its processes."""

    home: Path
    port: int
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        """The address of its pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The generated password of the one user."""
        return str(json.loads((self.home / PASSWORDS).read_text())[USER])

    @property
    def login(self) -> str:
        """How to log in: with what was generated, or as somebody set it up in the environment."""
        try:
            return f"log in as {USER} / {self.password}"
        except (OSError, ValueError, KeyError):
            return "log in as its auth manager is set up in the environment"


def describe(home: Path, port: int, given: Mapping[str, str] = os.environ) -> Airflow:
    """Return the Airflow of a home; settings that the environment has already win.

    Connections to SQLite are not pooled: Airflow may leave a read open in one that met a locked database, and every
    later write by the same connection would be refused at once.
    """
    settings = read_settings()
    keys = _keys(home)
    here = f"http://127.0.0.1:{port}"
    dags = next((folder for folder in (settings.content / "dags", Path.cwd() / "dags") if folder.is_dir()), Path("dags"))
    wanted = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{here}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout={LOCKED_SECONDS}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_ENABLED": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS),
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
    always = {"AIRFLOW_HOME": str(home), "NO_PROXY": direct, "no_proxy": direct}  # tasks call the server beside them
    return Airflow(home, port, {**wanted, **given, **always})


@contextlib.contextmanager
def running(airflow: Airflow) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Make the database and the pools, start the processes, and stop them and their workers at the end.

    Yields:
        The processes by name, as soon as all are healthy.

    Raises:
        UsageError: Airflow is not installed, or another program has the port.
        ModelFailedError: A process ended or was not healthy in time; its log is named.
    """
    _refuse_a_taken_port(airflow.port)
    logs = airflow.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    pools = airflow.home / "pools.json"
    pools.write_text(json.dumps(schedule.pools(read_sources(Path(airflow.environment["DATAMOAT_ROOT"])))))
    for old in logs.glob("*.log"):
        old.replace(old.with_suffix(".before"))  # of one start before this one
    words_of = [("db", "migrate"), ("pools", "import", str(pools))]
    if (airflow.home / "airflow.db").is_file():
        oldest = datetime.now(UTC) - timedelta(days=read_settings().keep_days)
        words_of.append(("db", "clean", "--clean-before-timestamp", oldest.isoformat(), "--skip-archive", "--yes"))
    for words in words_of:
        with step("airflow", airflow=" ".join(words[:2])):
            _run(airflow, logs / f"{words[0]}-{words[1]}.log", *words)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        with step("airflow", airflow="start"):
            for name, flags in SERVICES.items():
                if name == "scheduler":  # a task calls the api-server at once
                    _wait(airflow, started, logs, ("metadatabase",))
                with (logs / f"{name}.log").open("ab") as file:
                    started[name] = subprocess.Popen(  # noqa: S603  (our own program, no shell)
                        [_program(), name, *flags],
                        env=dict(airflow.environment),
                        stdout=file,
                        stderr=file,
                        start_new_session=True,
                    )
            _wait(airflow, started, logs, ("scheduler", "dag_processor"))
        yield started
    finally:
        _stop(started)


def is_healthy(address: str, part: str | None = None) -> bool:
    """Return whether a part of Airflow is healthy: by an api-server and the name of a part, or a scheduler's own health address."""
    try:
        path = "/health" if part is None else "/api/v2/monitor/health"
        with OPEN(address + path, timeout=10) as response:
            text = response.read()
        return part is None or bool(json.loads(text)[part]["status"] == "healthy")
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return False  # a scheduler that is not healthy answers 503, which is an error here


class Watcher:
    """Sends one alert when a part of Airflow is not healthy twice in a row, and one line after five healthy looks in a row.

    Airflow reports nothing about itself: a scheduler that is dead runs no callback.
    """

    def __init__(self, address: str) -> None:
        """Watch the Airflow at an address; nothing is known of it yet."""
        self.address = address
        self._seen: dict[str, tuple[bool, int]] = {}  # of each part: whether it is bad, and since how many looks

    def look(self) -> None:
        """Check every part once."""
        for part in PARTS:
            is_bad = not is_healthy(self.address, part)
            before, n_looks = self._seen.get(part, (is_bad, 0))
            n_looks = n_looks + 1 if is_bad == before else 1
            self._seen[part] = is_bad, n_looks
            if n_looks >= (BAD_LOOKS if is_bad else GOOD_LOOKS):
                notify.condition(f"Airflow's {part}", "not healthy; read its log, and start it again" if is_bad else None)


def main(words: list[str]) -> int:
    """Run the Airflow of this data folder, its command line, or one check of health; return the exit code."""
    command = words[0] if words else ""
    if command == "health" and words[1:]:
        return 0 if is_healthy(words[1], words[2] if words[2:] else None) else 1
    if command == "secrets":
        refuse_examples(os.environ)
        _own(read_settings().data / "airflow" / PASSWORDS)
        return 0
    if command == "watch" and words[1:]:
        show_log()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        watcher = Watcher(words[1])
        while True:
            watcher.look()
            WATCHED.touch()
            time.sleep(WATCH_SECONDS)
    home = read_settings().data / "airflow"
    if command == "airflow" and words[1:]:
        return subprocess.run([_program(), *words[1:]], env=dict(describe(home, PORT).environment), check=False).returncode  # noqa: S603
    if command != "start" or (words[1:] and not words[1].isdecimal()):
        sys.stderr.write(str(__doc__))
        return 2
    show_log()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    _own(home / PASSWORDS)
    airflow = describe(home, int(words[1]) if words[1:] else PORT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt), running(airflow) as processes:
        sys.stdout.write(
            f"Airflow is at {airflow.address}; {airflow.login}\n"
            f"  DAGs that send requests to a publisher are paused until you switch them on; logs are in {home / 'logs'}\n"
            "  Ctrl-C stops it\n"
        )
        sys.stdout.flush()
        watcher, looked = Watcher(airflow.address), time.monotonic()
        while not (ended := [name for name, process in processes.items() if process.poll() is not None]):
            time.sleep(1)
            if time.monotonic() - looked > WATCH_SECONDS:
                watcher.look()
                looked = time.monotonic()
        log_file = home / "logs" / f"{ended[0]}.log"
        notify.alert(f"Airflow's {ended[0]} ended, and the rest was stopped; read the end of {log_file}, then `make airflow`")
        raise ModelFailedError(f"{ended[0]} ended", str(log_file), "read the end of that file.")
    return 0


def refuse_examples(environment: Mapping[str, str]) -> None:
    """Refuse secrets that are copied from `.env.example`, and short ones.

    Raises:
        UsageError: There is one; its variable is named, and never its value.
    """
    bad = [
        name
        for name, shortest in SECRETS.items()
        if len(value := environment.get(name, "")) < shortest
        or any(example in value for example in EXAMPLES)
        or (":unused@" in value and "Celery" in environment.get("AIRFLOW__CORE__EXECUTOR", ""))
    ]
    if bad:
        raise UsageError(
            f"{', '.join(bad)}: the example's, or too short",
            ".env",
            "put secrets of your own there; .env.example shows how to make one.",
        )


def _keys(home: Path) -> dict[str, str]:
    """Return the two secrets of a home, made once and readable by their owner alone."""
    path = home / "keys.json"
    if not path.is_file():
        home.mkdir(parents=True, exist_ok=True)
        made = {"jwt": secrets.token_urlsafe(48), "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
    known: dict[str, str] = json.loads(path.read_text())
    return known


def _own(path: Path) -> None:
    """Make a file readable by its owner alone, before Airflow writes into it; what it holds stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.chmod(0o600)


def _refuse_a_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as failure:
            raise UsageError(
                f"port {port} is taken", "this machine", "stop the program that listens there, or `make airflow PORT=18080`."
            ) from failure


def _wait(airflow: Airflow, processes: Mapping[str, subprocess.Popen[bytes]], logs: Path, parts: tuple[str, ...]) -> None:
    """Wait until parts are healthy, by the api-server."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        for name, process in processes.items():
            if process.poll() is not None:
                raise ModelFailedError(f"{name} ended at once", str(logs / f"{name}.log"), "read the end of that file.")
        if all(is_healthy(airflow.address, part) for part in parts):
            return
        time.sleep(0.5)
    raise ModelFailedError(f"not all processes were healthy after {START_SECONDS:g} s", str(logs), "read the logs there.")


def _stop(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Stop processes and everything they started: each leads a group of its own."""
    for process in processes.values():
        process.terminate()
    end = time.monotonic() + STOP_SECONDS
    for name, process in processes.items():
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("airflow", airflow=f"{name} killed", after=STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # workers of a process that was killed wait for work for ever
        process.wait()


def _run(airflow: Airflow, path: Path, *words: str) -> None:
    done = subprocess.run([_program(), *words], env=dict(airflow.environment), capture_output=True, text=True, check=False)  # noqa: S603
    path.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise ModelFailedError(f"airflow {' '.join(words)} ended with {done.returncode}", str(path), "read the end of that file.")


def _program() -> str:
    """Return the airflow of this interpreter's environment.

    Raises:
        UsageError: There is none.
    """
    path = Path(sys.executable).parent / "airflow"
    if not path.is_file():
        raise UsageError("Airflow is not installed here", str(path.parent), "run `make airflow`, which brings it.")
    return str(path)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DatamoatError as failure:
        sys.stderr.write(f"{failure}\n")
        sys.exit(failure.exit_code)
