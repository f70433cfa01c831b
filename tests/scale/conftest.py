"""A data folder of its own, the checkout's streamed sources, and a publisher on loopback that can break off."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from datamoat.ingest.part_receipts import PartReceipt, folder_of
from datamoat.project.sources import Source, find_source
from datamoat.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
NOW = datetime(2025, 7, 3, 7, tzinfo=UTC)


@dataclass
class Upstream:
    """A publisher on loopback.

    Attributes:
        files: Body by the last part of the address.
        break_after: Bytes after which the next answers are cut, one entry for each answer.
        ranges: The Range headers of the requests.
        redirects: Address to redirect to by the last part of the address.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(CHECKOUT, tmp_path / "data")


@pytest.fixture
def aggregates() -> Source:
    return find_source(CHECKOUT, "dsa_aggregates")


@pytest.fixture
def statements() -> Source:
    return find_source(CHECKOUT, "dsa_statements")


@pytest.fixture
def posts() -> Source:
    return find_source(CHECKOUT, "video_posts")


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    state = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[-1]
            if name in state.redirects:
                self.send_response(302)
                self.send_header("Location", state.redirects[name])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = state.files.get(name)
            if body is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            tag = f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324  (an ETag)
            start = 0
            if asked and self.headers.get("If-Range") == tag:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start and start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.send_header("ETag", tag)
            self.end_headers()
            end = start + state.break_after.pop(0) if state.break_after else len(body)
            self.wfile.write(body[start:end])
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
    for name in ("DSA_AGGREGATES", "DSA_STATEMENTS"):
        monkeypatch.setenv(f"DATAMOAT_UPSTREAM_{name}", f"http://127.0.0.1:{server.server_address[1]}")
    yield state
    server.shutdown()
    server.server_close()


def counts_of(settings: Settings, receipt: PartReceipt) -> pl.DataFrame:
    return pl.read_parquet(folder_of(settings, receipt.source_id) / receipt.counts)


def cells_of(settings: Settings, receipt: PartReceipt) -> dict[Any, tuple[int, int]]:
    """Return decisions and late ones by cell."""
    return {row[:6]: row[6:8] for row in counts_of(settings, receipt).rows()}


def left_behind(settings: Settings) -> list[str]:
    """Return every file of the data folder but locks."""
    return sorted(path.name for path in settings.data.rglob("*") if path.is_file() and path.name != ".lock")
