"""Faults B01 to B09: what the wire does, against a fake upstream on this machine."""

import gzip
import hashlib
import json
import random
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina
from werkzeug import Request, Response

from datamoat import parsing
from datamoat.errors import SourceChangedError, UsageError
from datamoat.ingest.fetch import fetch_source
from datamoat.ingest.http_client import Client, RetryLaterError, _why, retry_after
from datamoat.ingest.land import land_source
from datamoat.ingest.outcome import FetchReport, Outcome
from datamoat.ingest.parse import read_response
from datamoat.ingest.protocols import public_url
from datamoat.ingest.status import FetchStatus
from datamoat.project import sources
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.snapshots import Snapshots

OLD = "/api/v2/data/media/text-to-video"
NEW = "/api/v2/media/text-to-video/models/free"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def ask(place: Settings, source: Callable[[str], Source]) -> Callable[..., FetchReport]:
    """Return a function that asks the API source for one board, or for all."""

    def fetch(request: str | None = "text_to_video", caps: dict[str, Any] | None = None, name: str = "aa_api") -> FetchReport:
        asked = source(name)
        if caps:
            asked = asked.model_copy(update={"fetch": asked.fetch.model_copy(update=caps)})
        return fetch_source(place, asked, request)

    return fetch


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[int]]]:
    """Serve connections by hand, for answers that no HTTP server would give; yield the address and a count of them."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    seen: list[int] = []
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            seen.append(1)
            with connection:
                connection.settimeout(5)
                try:
                    connection.recv(65536)
                    serve(connection)
                except OSError:
                    pass

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        stop.set()
        thread.join(timeout=10)
        listener.close()


@pytest.mark.parametrize(
    ("header", "deferred_at_once"),
    [("1", False), ("31536000", True), (None, False), ("Thu, 24 Nov 2127 12:00:00 GMT", True), ("soon, perhaps", False)],
)
def test_b01_a_429_is_waited_for_up_to_a_cap_and_never_asked_more_than_thrice(
    upstream: Any, ask: Callable[..., FetchReport], header: str | None, *, deferred_at_once: bool
) -> None:
    headers = {"Retry-After": header} if header else {}
    upstream.expect_request(OLD).respond_with_response(Response('{"error":"rate limited"}', 429, headers))
    report = ask()
    assert report.outcomes[0].what == "deferred"
    assert "HTTP 429" in report.outcomes[0].detail
    assert len(upstream.log) == (1 if deferred_at_once else 3)


def test_b01_the_wait_is_what_was_asked_for(
    upstream: Any, ask: Callable[..., FetchReport], monkeypatch: pytest.MonkeyPatch, board: Any
) -> None:
    upstream.expect_ordered_request(OLD).respond_with_response(Response("later", 429, {"Retry-After": "7"}))
    upstream.expect_ordered_request(OLD).respond_with_json(board())
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    with stamina.set_testing(False):
        assert ask().outcomes[0].what == "new"
    assert waits == [7.0]


def test_b01_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    assert retry_after("12", NOW) == 12
    assert retry_after("Tue, 24 Nov 2026 12:00:30 GMT", NOW) == 30
    assert retry_after("Tue, 24 Nov 2020 12:00:30 GMT", NOW) == 0
    assert retry_after("9" * 400, NOW) is None
    assert retry_after("-5", NOW) is None


def test_b02_a_storm_of_503_costs_three_requests_a_source(
    upstream: Any, ask: Callable[..., FetchReport], place: Settings, source: Callable[[str], Source]
) -> None:
    upstream.expect_request(__import__("re").compile(".*")).respond_with_data("busy", status=503)
    began = time.monotonic()
    for name in ("aa_api", "epoch_models", "arena_dataset", "huggingface_models", "tiktok_enforcement"):
        upstream.clear_log()
        report = ask(None, name=name)
        assert 1 <= len(upstream.log) <= 3, name
        assert not report.is_good
        assert {outcome.what for outcome in report.outcomes} == {"deferred"}
        assert all(landing.validation_status == "error" for landing in land_source(place, source(name))[0])
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("status", "n_requests"), [*((status, 3) for status in (408, 425, 429, 500, 502, 503, 504)), (409, 1), (451, 1), (501, 1)]
)
def test_b02_what_may_pass_is_asked_thrice_and_what_will_not_once(
    upstream: Any, ask: Callable[..., FetchReport], status: int, n_requests: int
) -> None:
    upstream.expect_request(OLD).respond_with_data("no", status=status)
    assert ask().outcomes[0].what == ("deferred" if n_requests > 1 else "refused")
    assert len(upstream.log) == n_requests


def test_b02_one_failing_board_of_four_does_not_cost_the_others(
    upstream: Any, ask: Callable[..., FetchReport], board: Any
) -> None:
    free = {
        "data": [
            {"id": f"i{n}", "name": f"N{n}", "slug": "s", "model_creator": {"id": "c", "name": "C"}, "elo": 1000 + n, "ci_95": 9}
            for n in range(20)
        ]
    }
    upstream.expect_request(OLD).respond_with_data("Internal Server Error", status=500)
    upstream.expect_request("/api/v2/data/media/image-to-video").respond_with_json(board())
    upstream.expect_request("/api/v2/media/text-to-video-audio/models/free").respond_with_json(free)
    upstream.expect_request("/api/v2/media/image-to-video-audio/models/free").respond_with_json({"data": free["data"][1:]})
    report = ask(None)
    assert [outcome.what for outcome in report.outcomes] == ["deferred", "new", "new", "new"]
    assert len(upstream.log) == 6


class IntoMemory:
    """Where a body goes piece by piece, as that of a streamed part does into a file."""

    def __init__(self) -> None:
        self.received = b""

    def takes(self, _: int) -> bool:
        return True

    def write(self, _: Any, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            self.received += piece


def test_b03_a_byte_a_second_ends_at_the_deadline(
    ask: Callable[..., FetchReport], source: Callable[[str], Source], monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"[")
            time.sleep(0.1)

    with raw_server(drip) as (base, _):
        monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
        monkeypatch.setenv("AA_API_KEY", "k")
        monkeypatch.setenv("DATAMOAT_UPSTREAM_AA_API", base)
        began = time.monotonic()
        report = ask(caps={"max_seconds": 0.4})
        assert time.monotonic() - began < 20
        into, slow = IntoMemory(), source("aa_api")
        slow = slow.model_copy(update={"fetch": slow.fetch.model_copy(update={"max_seconds": 0.4})})
        with Client(slow) as client, pytest.raises(RetryLaterError, match="in time"):
            client.get(f"https://artificialanalysis.ai{OLD}", sink=into)
        assert 1 <= len(into.received) <= 10
    assert report.outcomes[0].what == "deferred"
    assert "in time" in report.outcomes[0].detail


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data": [',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"dat\r\n',
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + gzip.compress(b'{"data": []}')[:20],
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"",
    ],
    ids=["wrong length", "cut chunk", "cut gzip", "cut header", "reset"],
)
def test_b03_a_cut_answer_is_neither_stored_nor_read(
    answer: bytes, ask: Callable[..., FetchReport], place: Settings, monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as (base, seen):
        monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
        monkeypatch.setenv("AA_API_KEY", "k")
        monkeypatch.setenv("DATAMOAT_UPSTREAM_AA_API", base)
        report = ask()
        assert len(seen) == 3
    assert report.outcomes[0].what == "deferred"
    assert Snapshots(place.snapshots, "aa_api").of() == []


def test_b04_a_proxy_that_the_environment_names_is_not_asked(
    upstream: Any, ask: Callable[..., FetchReport], board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.expect_request(OLD).respond_with_json(board())
    with raw_server(lambda connection: connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")) as (proxy, seen):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert ask().outcomes[0].what == "new"
    assert (len(upstream.log), seen) == (1, [])


def test_b04_a_redirect_loop_stops_at_five(upstream: Any, ask: Callable[..., FetchReport]) -> None:
    upstream.expect_request(OLD).respond_with_response(Response("", 301, {"Location": OLD}))
    report = ask()
    assert report.outcomes[0].what == "refused"
    assert "more than 5 redirects" in report.outcomes[0].detail
    assert len(upstream.log) == 6


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/x",
        "http://artificialanalysis.ai/x",
        "//evil.example/x",
        "ftp://artificialanalysis.ai/x",
        "https://artificialanalysis.ai.evil.example/x",
    ],
)
def test_b04_another_host_or_scheme_is_refused(upstream: Any, ask: Callable[..., FetchReport], target: str) -> None:
    upstream.expect_request(OLD).respond_with_response(Response("", 302, {"Location": target}))
    report = ask()
    assert report.outcomes[0].what == "refused"
    assert "refused to ask" in report.outcomes[0].detail
    assert len(upstream.log) == 1


def test_b04_the_key_goes_to_the_first_host_only(upstream: Any, source: Callable[[str], Source], board: Any) -> None:
    """The allowed case: a redirect within the host is followed, and the key goes with it."""
    upstream.expect_request(OLD).respond_with_response(Response("", 302, {"Location": "/moved"}))
    upstream.expect_request("/moved", headers={"x-api-key": "canary-7f3a9"}).respond_with_json(board())
    with Client(source("aa_api")) as client:
        assert client.get(f"https://artificialanalysis.ai{OLD}", secret={"x-api-key": "canary-7f3a9"}).status == 200


def test_b05_a_name_that_does_not_resolve_is_said_plainly(
    place: Settings, source: Callable[[str], Source], monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    report = fetch_source(place, source("epoch_models"), "notable_models")
    assert report.outcomes[0].what == "deferred"
    assert "epoch.ai does not resolve" in report.outcomes[0].detail


def test_b05_a_certificate_that_cannot_be_trusted_is_never_bypassed(
    place: Settings, source: Callable[[str], Source], monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    def reject(context: ssl.SSLContext, *_: Any, **__: Any) -> Any:
        if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
            raise ConnectionResetError  # nobody would have looked
        raise ssl.SSLCertVerificationError(
            1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)"
        )

    opened: list[socket.socket] = []

    def connect(*_: Any, **__: Any) -> socket.socket:
        opened.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        return opened[-1]

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("93.184.216.34", 443))])
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", reject)
    report = fetch_source(place, source("epoch_models"), "notable_models")
    assert report.outcomes[0].what == "deferred"
    assert "certificate" in report.outcomes[0].detail
    assert 1 <= len(opened) <= 3


@pytest.mark.parametrize("how", ["cause", "context", "cause of a context"])
def test_b05_a_certificate_is_named_however_deep_the_failure_is_wrapped(how: str) -> None:
    failure, middle, outer = ssl.SSLError("[X] certificate has expired"), OSError("lost"), OSError("no connection")
    if how == "cause":
        outer.__cause__ = failure
    elif how == "context":
        outer.__context__ = failure
    else:
        outer.__context__, middle.__cause__ = middle, failure
    assert "certificate is not to be trusted" in _why(outer)
    assert "certificate" not in _why(OSError("no connection"))


def test_b06_a_body_beyond_the_cap_is_stopped(upstream: Any, ask: Callable[..., FetchReport], place: Settings) -> None:
    sent: list[int] = []

    def endless(_: Request) -> Response:
        def pieces() -> Iterator[bytes]:
            for _ in range(2000):
                sent.append(1)
                yield b"x" * 100_000

        return Response(pieces(), content_type="application/json")

    upstream.expect_request(OLD).respond_with_handler(endless)
    report = ask(caps={"max_megabytes": 1.0})
    assert report.outcomes[0].what == "refused"
    assert "larger than 1 MB" in report.outcomes[0].detail
    assert len(sent) < 1000
    assert Snapshots(place.snapshots, "aa_api").of() == []


def test_b06_an_announced_body_beyond_the_cap_is_not_even_read(
    ask: Callable[..., FetchReport], monkeypatch: pytest.MonkeyPatch, no_waiting: None
) -> None:
    with raw_server(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n[")) as (
        base,
        seen,
    ):
        monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
        monkeypatch.setenv("AA_API_KEY", "k")
        monkeypatch.setenv("DATAMOAT_UPSTREAM_AA_API", base)
        report = ask()
    assert "10,000,000,000 bytes" in report.outcomes[0].detail
    assert len(seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5_000_000,
        b'{"a":' * 1_000_000,
        b'{"data": ' + b"9" * 1_000_000 + b"}",
        json.dumps({f"k{n}": n for n in range(100_000)}).encode(),
    ],
    ids=["nested lists", "nested objects", "one number", "100,000 keys"],
)
def test_b06_absurd_json_is_refused_quickly_and_in_little_memory(bench: Any, body: bytes) -> None:
    tracemalloc.start()
    began = time.monotonic()
    landing = bench.feed(body)
    seconds, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert landing.validation_status == "error"
    assert bench.kept(landing) == body
    assert seconds < 20
    assert peak < 256 * 2**20


@pytest.mark.parametrize("layers", [1, 2])
def test_b07_a_bomb_is_counted_as_it_opens(upstream: Any, ask: Callable[..., FetchReport], layers: int) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb, 9)
    encoding = ", ".join(["gzip"] * layers)
    upstream.expect_request(OLD).respond_with_response(Response(bomb, 200, {"Content-Encoding": encoding}))
    tracemalloc.start()
    report = ask(caps={"max_megabytes": 5.0})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.outcomes[0].what == "refused"
    assert peak < 64 * 2**20


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, br", "x-unheard-of"])
def test_b07_an_encoding_that_was_not_asked_for_is_refused(upstream: Any, ask: Callable[..., FetchReport], encoding: str) -> None:
    upstream.expect_request(OLD).respond_with_response(Response(zlib.compress(b"{}"), 200, {"Content-Encoding": encoding}))
    report = ask()
    assert report.outcomes[0].what == "refused"
    assert "not requested" in report.outcomes[0].detail


def test_b07_a_bomb_in_the_body_of_a_redirect_is_never_opened(upstream: Any, ask: Callable[..., FetchReport], board: Any) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, 9)
    upstream.expect_request(OLD).respond_with_response(Response(bomb, 302, {"Content-Encoding": "gzip", "Location": "/moved"}))
    upstream.expect_request("/moved").respond_with_response(
        Response(gzip.compress(json.dumps(board()).encode()), 200, {"Content-Encoding": "gzip"})
    )
    assert ask().outcomes[0].what == "new"


def test_b08_a_cut_answer_at_any_byte_is_rejected(board: Any, source: Callable[[str], Source]) -> None:
    body = json.dumps(board(8)).encode()
    asked = source("aa_api")
    for cut in range(len(body)):
        with pytest.raises(SourceChangedError):
            read_response(asked, [body[:cut]], "text_to_video", date(2026, 3, 1))
    assert len(read_response(asked, [body], "text_to_video", date(2026, 3, 1))[0]["entries"]) == 8


def test_b08_real_answers_cut_anywhere_are_rejected_or_identical(captures: Path, source: Callable[[str], Source]) -> None:
    chance = random.Random(8)  # noqa: S311
    cases = {
        "aa_api": ("text_to_video", captures / "artificial_analysis/api_v2_data_media/2026-05-15/text-to-video.json"),
        "arena_web": ("text_to_video", captures / "arena_ai/web_leaderboard/2026-05-14/text-to-video.json"),
        "arena_dataset": ("text_to_video", captures / "arena_ai/hf_leaderboard_dataset/2026-07-12/text_to_video.json"),
    }
    for name, (request, path) in cases.items():
        body, asked = path.read_bytes(), source(name)
        whole = read_response(asked, [body], request, date(2026, 8, 1))
        for cut in chance.sample(range(len(body)), 700):
            try:
                found = read_response(asked, [body[:cut]], request, date(2026, 8, 1))
            except SourceChangedError:
                continue
            assert found == whole, (name, cut)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1, "a": 2}', None),
        (b'{"a": {"b": 1, "b": 1}}', None),
        (b'{"a": NaN}', {"a": None}),
        (b'{"a": -Infinity}', {"a": None}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": "\u00e9"}'.encode("utf-16"), {"a": "\u00e9"}),
        ('{"a": "\u00e9"}'.encode("utf-16-le"), {"a": "\u00e9"}),
        (b'{"a": 9007199254740993}', {"a": 9007199254740993}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": "\xff"}', None),
    ],
    ids=["twice", "twice inside", "NaN", "infinity", "mark", "utf-16", "utf-16 without mark", "2^53+1", "surrogate", "not utf-8"],
)
def test_b09_the_edges_of_json_have_one_reading_each(body: bytes, expected: Any) -> None:
    if expected is None:
        with pytest.raises(SourceChangedError):
            parsing.load_json(parsing.Response(body))
    else:
        assert parsing.load_json(parsing.Response(body)) == expected == parsing.load_json(parsing.Response(body))


def test_nothing_new_costs_one_conditional_request_and_no_landing(
    upstream: Any, place: Settings, source: Callable[[str], Source], board: Any
) -> None:
    body = json.dumps(board())
    asked: list[str | None] = []

    def answer(request: Request) -> Response:
        asked.append(request.headers.get("If-None-Match"))
        return (
            Response(status=304)
            if asked[-1] == '"v1"'
            else Response(body, 200, {"ETag": '"v1"'}, content_type="application/json")
        )

    upstream.expect_request(OLD).respond_with_handler(answer)
    api = source("aa_api")
    first = datetime.now(UTC)
    assert fetch_source(place, api, "text_to_video", clock=lambda: first).outcomes[0].what == "new"
    again = fetch_source(place, api, "text_to_video", clock=lambda: first)
    assert (again.n_requests, again.snapshot_ids, asked) == (1, [], [None, '"v1"'])
    next_day = fetch_source(
        place, api, "text_to_video", clock=lambda: first + timedelta(hours=11, days=1 if first.hour < 1 else 0)
    )
    assert next_day.n_requests == 1
    landed, _ = land_source(place, api)
    assert {landing.validation_status for landing in landed} <= {"ok", "unchanged"}


def test_the_newer_route_is_asked_where_the_older_is_gone(upstream: Any, ask: Callable[..., FetchReport]) -> None:
    upstream.expect_request(OLD).respond_with_data("gone", status=404)
    page = {
        "data": [
            {"id": f"i{n}", "name": f"N{n}", "slug": "s", "model_creator": {"id": "c", "name": "C"}, "elo": 1000 + n, "ci_95": 9}
            for n in range(50)
        ]
    }
    upstream.expect_request(NEW).respond_with_json(page)
    report = ask()
    assert report.outcomes[0].what == "new"
    assert report.n_requests == 2


AUDIO = "/api/v2/media/text-to-video-audio/models/free"


def paged(number: int, total: int, rows: int = 20, *, more: bool | None = None) -> dict[str, Any]:
    """Return one page of a made-up board of the newer route."""
    return {
        "tier": "free",
        "pagination": {"page": number, "page_size": rows, "total_pages": total, "has_more": number < total if more is None else more},
        "data": [
            {
                "id": f"i{number}-{n}", "name": f"N{number}-{n}", "slug": f"s{number}-{n}", "model_creator": {"id": f"c{n % 4}", "name": f"C{n % 4}"},
                "elo": 1200 - n, "ci_95": 9,
            }
            for n in range(rows)
        ],
    }  # fmt: skip


def test_a04_all_pages_are_one_answer(upstream: Any, ask: Callable[..., FetchReport], place: Settings, source: Any) -> None:
    asked: list[tuple[str | None, str | None]] = []

    def answer(request: Request) -> Response:
        asked.append((request.args.get("page"), request.headers.get("If-None-Match")))
        return Response(json.dumps(paged(int(request.args["page"]), 3)), 200, {"ETag": '"same"'}, content_type="application/json")

    upstream.expect_request(AUDIO).respond_with_handler(answer)
    report = ask("text_to_video_audio")
    assert [outcome.what for outcome in report.outcomes] == ["new"]
    landed, _ = land_source(place, source("aa_api"))
    assert [(landing.validation_status, landing.n_rows) for landing in landed] == [("ok", 60)]
    assert ask("text_to_video_audio").outcomes[0].what == "unchanged"
    assert asked == [("1", None), ("2", None), ("3", None)] * 2, "an unchanged first page shows nothing about the others"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (paged(1, 2), "got page 1 again"),
        ({**paged(1, 2), "pagination": {}}, "got one without a number"),
        (None, "page 2 responds with HTTP 404"),
        (paged(2, 2), "3 pages were announced and 2 received"),
        (paged(2, 99, more=True), "got page 2 again"),
    ],
    ids=["repeated", "repeated without a number", "missing", "too few", "endless"],
)
def test_a04_pages_that_are_repeated_missing_or_endless_are_not_stored(
    upstream: Any, ask: Callable[..., FetchReport], place: Settings, second: Any, message: str
) -> None:
    def answer(request: Request) -> Response:
        page = paged(1, 3) if request.args["page"] == "1" else second
        return Response("", 404) if page is None else Response(json.dumps(page), 200, content_type="application/json")

    upstream.expect_request(AUDIO).respond_with_handler(answer)
    report = ask("text_to_video_audio")
    assert report.outcomes[0].what == "refused"
    assert message in report.outcomes[0].detail
    assert len(upstream.log) <= 3
    assert Snapshots(place.snapshots, "aa_api").of() == []


def test_the_hub_is_asked_at_an_immutable_revision(
    upstream: Any, place: Settings, source: Callable[[str], Source], captures: Path
) -> None:
    body = (captures / "arena_ai/hf_leaderboard_dataset/2026-07-12/text_to_video.json").read_bytes()
    sha = "a" * 40
    upstream.expect_request("/api/datasets/lmarena-ai/leaderboard-dataset").respond_with_json({"sha": sha})
    upstream.expect_request(
        f"/datasets/lmarena-ai/leaderboard-dataset/resolve/{sha}/text_to_video/full-00000-of-00001.parquet"
    ).respond_with_data(body)
    arena = source("arena_dataset")
    assert fetch_source(place, arena, "text_to_video").outcomes[0].what == "new"
    again = fetch_source(place, arena, "text_to_video")
    assert again.outcomes[0].what == "unchanged"
    assert again.n_requests == 1


@pytest.mark.parametrize(
    ("body", "status"), [(b'{"sha": "main"}', 200), (b'{"sha": null}', 200), (b"[]", 200), (b"<html>", 200), (b"{}", 404)]
)
def test_a_hub_without_a_revision_is_refused_and_its_answer_stored_as_a_failure(
    upstream: Any, place: Settings, source: Callable[[str], Source], body: bytes, status: int
) -> None:
    upstream.expect_request("/api/datasets/lmarena-ai/leaderboard-dataset").respond_with_data(body, status=status)
    (outcome,) = fetch_source(place, source("arena_dataset"), "text_to_video").outcomes
    assert (outcome.what, "does not give the revision" in outcome.detail) == ("refused", True)
    (receipt,) = Snapshots(place.snapshots, "arena_dataset").of("text_to_video")
    assert receipt.status == 502
    assert land_source(place, source("arena_dataset"))[0][0].validation_status == "error"


def test_a_link_is_found_on_its_page_and_followed(upstream: Any, place: Settings, source: Callable[[str], Source]) -> None:
    tiktok = source("tiktok_enforcement")
    page = (
        '<html><script>{"u":"https:\\u002F\\u002Fsf16-va.tiktokcdn.com\\u002Fobj\\u002Fx\\u002F2025Q4_CGER_English.zip",'
        '"v":"https://sf16-va.tiktokcdn.com/obj/[y/2025Q2_CGER_English.zip"}</script></html>'
    )
    upstream.expect_request("/safety/en/transparency/community-guidelines-enforcement").respond_with_data(
        page, content_type="text/html"
    )
    upstream.expect_request("/obj/x/2025Q4_CGER_English.zip").respond_with_data(b"PK\x03\x04 not a zip")
    report = fetch_source(place, tiktok)
    assert report.outcomes[0].what == "new"
    assert land_source(place, tiktok)[0][0].validation_status == "error"
    upstream.clear()
    upstream.expect_request("/safety/en/transparency/community-guidelines-enforcement").respond_with_data("<html>moved</html>")
    assert "no link" in fetch_source(place, tiktok).outcomes[0].detail


def test_a_stand_in_for_an_upstream_needs_both_switches(source: Callable[[str], Source], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAMOAT_UPSTREAM_AA_API", "http://127.0.0.1:9")
    monkeypatch.delenv("DATAMOAT_ALLOW_LOOPBACK", raising=False)
    with pytest.raises(UsageError):
        Client(source("aa_api"))
    monkeypatch.setenv("DATAMOAT_ALLOW_LOOPBACK", "1")
    for elsewhere in ("http://10.0.0.1:80", "https://127.0.0.1:9", "http://127.0.0.1", "http://169.254.169.254:80"):
        monkeypatch.setenv("DATAMOAT_UPSTREAM_AA_API", elsewhere)
        with pytest.raises(UsageError):
            Client(source("aa_api"))


@pytest.mark.parametrize("how", ["declared", "in pieces", "as gzip"])
@pytest.mark.parametrize(("n_bytes", "what"), [(1_000_000, "new"), (1_000_001, "refused")])
def test_an_answer_may_have_as_many_bytes_as_the_cap(
    upstream: Any, ask: Callable[..., FetchReport], how: str, n_bytes: int, what: str
) -> None:
    body = b"x" * n_bytes

    def answer(_: Request) -> Response:
        if how == "as gzip":
            return Response(gzip.compress(body), headers={"Content-Encoding": "gzip"})
        return Response(body if how == "declared" else iter([body[:7], body[7:]]))

    upstream.expect_request(OLD).respond_with_handler(answer)
    assert ask(caps={"max_megabytes": 1.0}).outcomes[0].what == what


def test_five_redirects_are_followed(upstream: Any, ask: Callable[..., FetchReport], board: Any) -> None:
    for n, status in enumerate((301, 302, 303, 307, 308)):
        upstream.expect_request(f"/{n}" if n else OLD).respond_with_response(Response("", status, {"Location": f"/{n + 1}"}))
    upstream.expect_request("/5").respond_with_json(board())
    report = ask()
    assert (report.outcomes[0].what, report.n_requests) == ("new", 6)


@pytest.mark.parametrize(("most", "what"), [(3, "new"), (2, "refused")])
def test_an_answer_may_have_as_many_pages_as_its_source_declares(
    upstream: Any, place: Settings, source: Callable[[str], Source], most: int, what: str
) -> None:
    upstream.expect_request(AUDIO).respond_with_handler(lambda request: Response(json.dumps(paged(int(request.args["page"]), 3))))
    api = source("aa_api")
    declared = api.fetch.requests["text_to_video_audio"]
    assert declared.paging is not None
    request = declared.model_copy(update={"paging": declared.paging.model_copy(update={"most": most})})
    fetch = api.fetch.model_copy(update={"requests": {**api.fetch.requests, "text_to_video_audio": request}})
    report = fetch_source(place, api.model_copy(update={"fetch": fetch}), "text_to_video_audio")
    assert report.outcomes[0].what == what


def test_what_is_stored_of_an_answer_is_what_the_publisher_sent(
    upstream: Any, place: Settings, source: Callable[[str], Source]
) -> None:
    headers = {"ETag": '"v1"', "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
    now = datetime.now(UTC).replace(microsecond=0)  # the server has this machine's clock
    upstream.expect_request(OLD).respond_with_handler(
        lambda _: Response("[]", 200, headers, content_type="application/json; charset=utf-8")
    )
    api = source("aa_api")
    asked = f"https://artificialanalysis.ai{OLD}?include_categories=true"
    planned = fetch_source(place, api, "text_to_video", dry_run=True).outcomes
    (new,) = fetch_source(place, api, "text_to_video", clock=lambda: now).outcomes
    (receipt,) = Snapshots(place.snapshots, "aa_api").of()
    assert new == Outcome("text_to_video", FetchStatus.NEW, "2 bytes", receipt.snapshot_id, True)
    assert (receipt.url.partition("?")[0], receipt.route, receipt.status, receipt.retrieved_at) == (
        asked.partition("?")[0],
        "http",
        200,
        now,
    )
    assert (receipt.etag, receipt.last_modified, receipt.content_type) == (
        headers["ETag"],
        headers["Last-Modified"],
        "application/json; charset=utf-8",
    )
    assert (receipt.n_bytes, receipt.sha256, receipt.parts, receipt.revision, receipt.clock_note) == (
        2,
        hashlib.sha256(b"[]").hexdigest(),
        (),
        None,
        None,
    )
    assert receipt.body.endswith(".json")
    (before,), (after,) = planned, fetch_source(place, api, "text_to_video", dry_run=True).outcomes
    assert (before.what, before.snapshot_id, before.is_stored) == ("planned", None, False)
    assert before.detail.startswith("GET https://artificialanalysis.ai/")
    assert after.detail == before.detail.replace(", with", f", conditional on the response of {now.date()}, with", 1)
    assert after.snapshot_id == receipt.snapshot_id
    sent = upstream.log[-1][0].headers
    fetch_source(place, api, "text_to_video", clock=lambda: now)
    again = upstream.log[-1][0].headers
    assert [found.get(name) for found in (sent, again) for name in ("If-None-Match", "If-Modified-Since")] == [
        None, None, headers["ETag"], headers["Last-Modified"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.org/x", "https://a.org/x"), ("https://u:p@a.org:8443/x#frag", "https://a.org:8443/x"),
        ("https://a.org/x?page=2&blank=&api_key=s&Auth=s&session_id=s", "https://a.org/x?page=2&blank=&api_key=***&Auth=***&session_id=***"),
        ("https://a.org/x?fields=a,b", "https://a.org/x?fields=a,b"),
    ],
)  # fmt: skip
def test_an_address_is_shown_with_its_port_and_query_and_without_what_is_secret(url: str, shown: str) -> None:
    assert public_url(url) == shown


@pytest.mark.parametrize(
    ("path", "content_type", "extension"),
    [
        ("/a.CSV", "application/json", "csv"), ("/a.parquet", "", "parquet"), ("/a.xlsx", "", "xlsx"), ("/a.php", "text/HTML; charset=utf-8", "html"),
        ("/a", "application/json", "json"), ("/a.json.exe", "application/zip", "zip"), ("/a", "application/octet-stream", "bin"),
    ],
)  # fmt: skip
def test_an_answer_is_stored_under_the_ending_of_its_address_or_of_its_type(
    upstream: Any, place: Settings, source: Callable[[str], Source], path: str, content_type: str, extension: str
) -> None:
    upstream.expect_request(path).respond_with_data("x", content_type=content_type)
    api = source("aa_api")
    requests = {"text_to_video": sources.Request(about="It.", url=f"https://artificialanalysis.ai{path}")}
    fetch_source(place, api.model_copy(update={"fetch": api.fetch.model_copy(update={"requests": requests})}))
    (receipt,) = Snapshots(place.snapshots, "aa_api").of()
    assert receipt.body.rpartition(".")[2] == extension
