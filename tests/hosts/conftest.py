"""Several hosts: processes with a data folder each, an S3 server on loopback between them, and a publisher."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs")
pytest.importorskip("moto")
HERE = Path(__file__).resolve().parent
SOURCE = "example_board"
STEPS = """
import json, sys
from datamoat.errors import DatamoatError
from datamoat.orchestration import hosts, quarantine, tasks
from datamoat.release.bundle import make_release
from datamoat.publish.warehouse import rollback
from datamoat.settings import read_settings
from datamoat.storage.pointer import pull_published

source, step, given = "example_board", sys.argv[1], json.loads(sys.argv[2])

def land(fetched):
    hosts.check_fetched(source, fetched)
    return tasks.land(source)

def build(landed):
    hosts.check_store(landed)
    return tasks.build()

def audit(built):
    hosts.check_folder(built)
    return tasks.audit(built["build_id"])

def publish(audited):
    hosts.check_folder(audited)
    return tasks.publish(audited["build_id"])

def validate(landed):
    hosts.check_folder(landed)
    return tasks.validate(source)

steps = {
    "fetch": lambda _: tasks.fetch(source), "land": land, "validate": validate, "build": build, "audit": audit, "publish": publish,
    "release": lambda _: tasks.release(), "pull": lambda _: pull_published(read_settings()) or {},
    "rollback": lambda _: {"build_id": rollback(read_settings()).build_id},
    "record": lambda snapshot_id: quarantine.record(snapshot_id, "accept", "ann", "it is right"),
}
try:
    for name in step.split("+"):
        given = steps[name](given) | hosts.place()
except DatamoatError as failure:
    print(json.dumps({"error": type(failure).__name__, "text": str(failure)}))
    sys.exit(1)
print(json.dumps(given, default=str))
"""
Facts = dict[str, Any]


@dataclass
class Publisher:
    """What the publisher lists."""

    port: int = 0
    entries: dict[str, float] = field(default_factory=lambda: {f"Entry {n}": 10.0 + n for n in range(20)})

    @property
    def answer(self) -> bytes:
        return json.dumps({"entries": [{"name": name, "value": value} for name, value in self.entries.items()]}).encode()


@dataclass
class Bucket:
    """The S3 server and what a test does to it."""

    process: subprocess.Popen[str]
    port: int
    _open: Any = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def control(self, verb: str) -> Any:
        with self._open(f"http://127.0.0.1:{self.port}/_control/{verb}", timeout=60) as response:
            return json.loads(response.read())


@dataclass
class Host:
    """One host: its data folder and its environment."""

    data: Path
    environment: dict[str, str]

    def start(self, step: str, given: Facts | str | None = None) -> subprocess.Popen[str]:
        call = [sys.executable, "-c", STEPS, step, json.dumps(given)]
        return subprocess.Popen(call, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, step: str, given: Facts | str | None = None) -> Facts:
        """Run steps, one after the other in one process, each with what the one before returned."""
        process = self.start(step, given)
        out, err = process.communicate(timeout=300)
        assert out.strip(), err[-3000:]
        found: Facts = json.loads(out.strip().splitlines()[-1])
        return found

    def killed(self, step: str, given: Facts | str | None, bucket: Bucket, n: int, when: str) -> bool:
        """Kill a process at its n-th request to the bucket; return whether it came so far."""
        bucket.control(f"hold?n={n}&when={when}")
        process = self.start(step, given)
        while process.poll() is None and not bucket.control("state")["is_held"]:
            time.sleep(0.05)
        is_held: bool = bucket.control("state")["is_held"]
        if is_held:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        bucket.control("hold")
        return is_held


@dataclass
class Cluster:
    """A content tree, a publisher, a bucket, and as many hosts as a test wants."""

    root: Path
    content: Path
    publisher: Publisher
    bucket: Bucket
    environment: dict[str, str]

    def host(self, name: str, store: str | None) -> Host:
        data = self.root / name
        data.mkdir(parents=True, exist_ok=True)
        more = {"DATAMOAT_DATA": str(data)} | ({"DATAMOAT_STORE": f"s3://shared/{store}"} if store else {})
        return Host(data, {**self.environment, **more})


def _write_content(root: Path) -> Path:
    """Write the small tree with two live sources, without the expectations that need Great Expectations."""
    spec = importlib.util.spec_from_file_location("small_world", HERE.parent / "dags" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["small_world"] = module
    spec.loader.exec_module(module)
    content: Path = module.write_content(root)
    shutil.rmtree(content / "expectations" / "marts")
    return content


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    call = [sys.executable, str(HERE / "s3_server.py")]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    yield Bucket(process, int(process.stdout.readline()))
    process.kill()
    process.communicate()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    served = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.answer
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            del words

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cluster(tmp_path: Path, publisher: Publisher, bucket: Bucket) -> Cluster:
    content = _write_content(tmp_path / "content")
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DATAMOAT", "AWS", "PYTHONW"))}
    environment = {
        **given,
        "DATAMOAT_ROOT": str(content), "DATAMOAT_ALLOW_LOOPBACK": "1", "EXAMPLE_API_KEY": "only-here",
        f"DATAMOAT_UPSTREAM_{SOURCE.upper()}": f"http://127.0.0.1:{publisher.port}",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{bucket.port}", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "only-here", "AWS_SECRET_ACCESS_KEY": "only-here", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }  # fmt: skip
    return Cluster(tmp_path, content, publisher, bucket, environment)
