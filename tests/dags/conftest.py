"""A small world to schedule: a content tree with one live source, its upstream on loopback, and Airflow beside it."""

import importlib.util
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from datamoat.project.scaffold import write_source
from datamoat.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
BOARDS = ("example_board", "example_models")
CANARY = "canary-5d1e77"  # in every secret of this world; may appear nowhere it is not needed
COLUMNS = """
entry_name: {type: VARCHAR, description: "An entry, as listed."}
captured_on: {type: DATE, description: Day of the capture.}
snapshot_id: {type: VARCHAR, description: The snapshot a row is from.}
value: {type: DOUBLE, unit: points, description: What the publisher counts.}
"""
MART = """/*---
description: Every entry as listed.
grain: [source_id, entry_name, captured_on]
nullable: [value]
---*/
select
    'example_board' AS source_id,
    entry_name,
    captured_on,
    value
from staging.stg_example_board__entries
union all
select
    'example_models' AS source_id,
    entry_name,
    captured_on,
    value
from staging.stg_example_models__entries
"""
CITATIONS = {
    "name": "citations",
    "path": "citations.csv",
    "schema": {
        "fields": [
            {"name": "citation_id", "type": "string", "constraints": {"required": True}},
            {"name": "url", "type": "string", "constraints": {"required": True}},
            {"name": "verification", "type": "string", "constraints": {"required": True}},
            {"name": "figure_as_stated", "type": "string"},
            {"name": "page_sha256", "type": "string"},
        ],
        "primaryKey": ["citation_id"],
    },
}
HOLD = """    import time
    from pathlib import Path

    while Path({path!r}).exists():
        time.sleep(0.05)
"""


def listing(n: int = 3, bump: float = 0.0) -> bytes:
    """Return an answer of the made-up publisher with `n` entries."""
    entries = [{"name": f"Entry {number}", "value": 10.0 + number + bump} for number in range(n)]
    return json.dumps({"entries": entries}).encode()


@dataclass
class Upstream:
    """The publishers, on this machine: their response, and the requests they got."""

    port: int
    answer: bytes = field(default_factory=listing)
    status: int = 200
    status_of: dict[str, int] = field(default_factory=dict)  # by path, where it differs
    answer_of: dict[str, bytes] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)


@dataclass
class Api:
    """A client of Airflow's REST API on this machine."""

    address: str
    password: Callable[[], str]
    _open: Any = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def call(self, path: str, body: object = None, token: str | None = None, method: str | None = None) -> Any:
        """Send a request and return its JSON; send it again while Airflow reports that its SQLite database is locked.

        A change by this interface writes to Airflow's log of actions in the event loop, and waits there in vain for a write of a
        task, which can only end in that loop. SQLite gives up on the first of the two after `LOCKED_SECONDS`.
        """
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310  (loopback, http)
        for tries_left in reversed(range(20)):
            try:
                with self._open(request, timeout=40) as response:
                    text = response.read()
                break
            except urllib.error.HTTPError as refusal:
                why = refusal.read().decode(errors="replace")
                if not tries_left or not (refusal.code == 503 or (refusal.code == 500 and '"Database error"' in why)):
                    refusal.add_note(f"{request.get_method()} {path}: {why}")
                    raise
                time.sleep(1)
        return json.loads(text) if text else None

    def token(self) -> str:
        """Log in as the one user there is."""
        return str(self.call("/auth/token", {"username": "admin", "password": self.password()})["access_token"])


@pytest.fixture(scope="session")
def api_of() -> type[Api]:
    """Return the client's class."""
    return Api


@dataclass
class World:
    """A content tree, a data folder, an upstream, and the environment that leads to them."""

    content: Path
    data: Path
    home: Path
    upstream: Upstream
    environment: dict[str, str]
    canary: str = CANARY
    listing: Callable[..., bytes] = listing

    @property
    def hold(self) -> Path:
        """While this file exists, a build does not get further than its first model in Python."""
        return self.content / "hold"

    @property
    def settings(self) -> Settings:
        return Settings(content=self.content, data=self.data, threads=2, memory_limit="1GB")

    def datamoat(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in this world."""
        call = [sys.executable, "-m", "datamoat", *words]
        return subprocess.run(call, env=self.environment, capture_output=True, text=True, check=False, cwd=self.content)

    def python(self, code: str, *words: str, seconds: float = 300) -> Any:
        """Run a piece of Python in this world and return the JSON on the last line it prints."""
        call = [sys.executable, "-W", "error::DeprecationWarning:datamoat", "-c", code, *words]
        done = subprocess.run(
            call, env=self.environment, capture_output=True, text=True, check=False, cwd=self.content, timeout=seconds
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])


def write_content(root: Path) -> Path:
    """Write the small tree of the engine's tests, and two live sources with a mart that reads them."""
    spec = importlib.util.spec_from_file_location("small_tree", CHECKOUT / "tests" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    files = {**module.FILES, "transforms/marts/boards/listed.sql": MART}
    files["transforms/columns.yml"] += COLUMNS
    slow = "transforms/intermediate/lab/int_lab__uploads.py"
    files[slow] = files[slow].replace(
        '    """Sum them."""\n', f'    """Sum them, once nothing holds."""\n{HOLD.format(path=str(root / "hold"))}'
    )
    package = json.loads(files["data/reference/datapackage.json"])
    package["resources"].append(CITATIONS)
    files["data/reference/datapackage.json"] = json.dumps(package)
    files["data/reference/citations.csv"] = (
        "citation_id,url,verification,figure_as_stated,page_sha256\n"
        "C1,https://example.org/report,page_read,12.0 million,\n"
        "C2,https://example.org/elsewhere,search_excerpt,5,\n"
    )
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(CHECKOUT / "reports" / "release", root / "reports" / "release")
    for name in BOARDS:
        folder = write_source(Settings(content=root, data=root / "data"), name)
        path = folder / "source.yml"
        text = path.read_text(encoding="utf-8").replace(
            "  hosts: [example.org]\n", "  hosts: [example.org]\n  key: {env: EXAMPLE_API_KEY, header: x-api-key}\n"
        )
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Return a function that finds a port nobody listens on.

    It is taken from below the ports the kernel deals out: between finding and using it, no connection of another test
    comes to sit on it.
    """

    def find() -> int:
        while True:
            port = random.randrange(20_000, 32_000)  # noqa: S311  (no secret)
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port

    return find


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Serve what the publishers say, and take what is sent to the webhook."""
    served: list[Upstream] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served[0].asked.append({"path": self.path, **{key.lower(): value for key, value in self.headers.items()}})
            answer = served[0].answer_of.get(self.path, served[0].answer)
            self.send_response(served[0].status_of.get(self.path, served[0].status))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            served[0].posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            del words

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.append(Upstream(server.server_port))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield served[0]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> World:
    """Return a small world of this module's own."""
    root = tmp_path_factory.mktemp("world")
    content = write_content(root / "content")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DATAMOAT", "PYTEST"))}
    kept.pop("PYTHONWARNINGS", None)
    here = f"http://127.0.0.1:{upstream.port}"
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        "DATAMOAT_ROOT": str(content),
        "DATAMOAT_DATA": str(root / "data"),
        "DATAMOAT_ALLOW_LOOPBACK": "1",
        **{f"DATAMOAT_UPSTREAM_{name.upper()}": here for name in (*BOARDS, "watched_pages")},
        "DATAMOAT_WEBHOOK": f"{here}/hook?token={CANARY}-hook",
        "DATAMOAT_LATE_MINUTES": "1",
        "EXAMPLE_API_KEY": f"{CANARY}-key",
        "AIRFLOW_CONN_PUBLISHER": f"https://reader:{CANARY}-userinfo@example.org/?token={CANARY}-query",
        "AIRFLOW_HOME": str(root / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    return World(content, root / "data", root / "airflow", upstream, environment)


@pytest.fixture(scope="module")
def room(world: World) -> Iterator[Path | None]:
    """Put the data folder on a small disk of its own, where a user may mount one; yield the file that fills it.

    The disk is not below pytest's own folders: those are moved and removed by other runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        call = ["mount", "-t", "tmpfs", "-o", "size=2600m", "tmpfs", str(disk)]
        if subprocess.run(call, capture_output=True, check=False).returncode != 0:
            yield None
            return
        Path(folder).chmod(0o755)
        world.data = disk
        world.environment["DATAMOAT_DATA"] = str(disk)
        try:
            yield disk / "filler"
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture(scope="module")
def migrated(world: World) -> World:
    """Return the world with Airflow's own database made, on SQLite."""
    subprocess.run(["airflow", "db", "migrate"], env=world.environment, check=True, capture_output=True, cwd=world.content)
    return world


@pytest.fixture
def lists(upstream: Upstream) -> Callable[..., None]:
    """Return a function that sets how many entries the publishers list, and how far their values moved."""

    def answer(n: int, bump: float = 0.0) -> None:
        upstream.answer = listing(n, bump)

    return answer
