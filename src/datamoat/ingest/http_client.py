"""The HTTP client of one source: it sends conditional requests and limits bytes, time, redirects and attempts."""

import contextlib
import ssl
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpcore2
import httpx2

import datamoat
from datamoat.errors import SourceChangedError, SourceUnavailableError
from datamoat.ingest.ssrf_guard import Deadline, GuardedBackend, check_url, upstream_override
from datamoat.parsing import shown
from datamoat.project.sources import Source

AGENT = f"datamoat/{datamoat.__version__} (open research data; one request per board and day)"
MOST_HOPS = 5
MOST_WAIT_SECONDS = 30.0  # of a Retry-After; a publisher who asks for more gets the next request another day
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
REDIRECTS = {301, 302, 303, 307, 308}
LATER = {408, 425, 429, 500, 502, 503, 504}
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Reply:
    """One answer, decompressed, whole."""

    status: int
    body: bytes
    headers: dict[str, str]
    url: str


class Sink(Protocol):
    """Where the body of a large answer goes instead of into memory."""

    def takes(self, status: int) -> bool:
        """Return whether a body of this status goes there."""

    def write(self, response: httpx2.Response, pieces: Iterator[bytes]) -> None:
        """Write the body."""


class RetryLaterError(SourceUnavailableError):
    """The publisher did not respond well; `wait_seconds` is the wait it wants, and `reply` its response."""

    wait_seconds: float | None = None
    reply: Reply | None = None
    final: bool = False


class Client:
    """Asks one source; a request costs one connection, and everything asked is counted."""

    def __init__(self, source: Source, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open nothing yet."""
        self.source, self.clock = source, clock
        self.override = upstream_override(source)
        self.n_requests = 0
        self._backend = GuardedBackend(loopback=self.override is not None)
        transport = httpx2.HTTPTransport(trust_env=False)
        # The only way to give httpx2 a resolver that checks addresses before it connects.
        transport._pool = httpcore2.ConnectionPool(  # noqa: SLF001
            ssl_context=httpx2.create_ssl_context(trust_env=False), max_connections=2, network_backend=self._backend
        )
        self._client = httpx2.Client(
            transport=transport, trust_env=False, follow_redirects=False,
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            headers={"User-Agent": AGENT, "Accept-Encoding": "gzip", "Accept": "*/*"},
        )  # fmt: skip

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        self._client.close()

    def get(
        self, url: str, headers: dict[str, str] | None = None, *, secret: dict[str, str] | None = None, sink: Sink | None = None
    ) -> Reply:
        """Return the answer to one question, redirects followed and each of them checked.

        Args:
            url: What to ask.
            headers: Sent on every hop.
            secret: Sent to the first host only, and never to another.
            sink: Takes the body of a successful response as it arrives; the reply is then without one.

        Raises:
            RetryLaterError: No response, a truncated one, or one that asks to come back.
            SourceChangedError: It leads elsewhere, or is larger than the source's cap.
        """
        self._backend.deadline = Deadline(self.source.fetch.max_seconds)
        asked = self._place(url)
        first = urlsplit(asked).netloc
        for _ in range(MOST_HOPS + 1):
            check_url(asked, self.source, self.override)
            sent = dict(headers or {})
            if secret and urlsplit(asked).netloc == first:
                sent |= secret
            reply = self._once(asked, sent, sink)
            if reply.status not in REDIRECTS:
                if reply.status in LATER:
                    raise self._later(reply)
                return Reply(reply.status, reply.body, reply.headers, url)
            target = reply.headers.get("location")
            if not target:
                raise SourceChangedError(
                    f"a redirect (HTTP {reply.status}) to nowhere", _bare(asked), "look at the address in a browser."
                )
            if urlsplit(asked).scheme == "https" and urlsplit(urljoin(asked, target)).scheme == "http":
                raise SourceChangedError(
                    "a redirect from https to http was refused", _bare(asked), "look at the address in a browser."
                )
            asked = urljoin(asked, target)
        raise SourceChangedError(
            f"more than {MOST_HOPS} redirects", _bare(url), "look at the address in a browser: it may be a login or a loop."
        )

    def _place(self, url: str) -> str:
        """Return the address itself, or the same path on the loopback server that replaces it."""
        if not self.override:
            return url
        parts = urlsplit(url)
        return self.override + urlunsplit(("", "", parts.path, parts.query, ""))

    def _once(self, url: str, headers: dict[str, str], sink: Sink | None = None) -> Reply:
        """Ask once; the body of a redirect is not read."""
        self.n_requests += 1
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                kept = {name.lower(): value for name, value in response.headers.items()}
                empty = response.status_code in REDIRECTS or response.status_code == 304  # noqa: PLR2004
                if sink is not None and sink.takes(response.status_code):
                    sink.write(response, response.iter_raw())
                    return Reply(response.status_code, b"", kept, url)
                return Reply(response.status_code, b"" if empty else self._read(response), kept, url)
        except (
            httpx2.HTTPError,
            httpcore2.TimeoutException,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            OSError,
        ) as failure:
            raise RetryLaterError(_why(failure), _bare(url), "nothing was stored; fetch again later.") from None

    def _read(self, response: httpx2.Response) -> bytes:
        """Return the decompressed body, counted as it grows, never larger than the cap."""
        cap = int(self.source.fetch.max_megabytes * 1_000_000)
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > cap:
            raise self._too_large(response, f"it declares {int(declared):,} bytes")
        encodings = [part.strip().lower() for part in response.headers.get("content-encoding", "").split(",") if part.strip()]
        if encodings == ["identity"]:
            encodings = []
        if encodings not in ([], ["gzip"], ["x-gzip"]):
            raise SourceChangedError(
                f"the body is encoded as {shown(', '.join(encodings))}, which was not requested",
                _bare(str(response.url)),
                "look at the response in a browser.",
            )
        body = bytearray()
        for piece in _inflate(response.iter_raw(CHUNK)) if encodings else response.iter_raw(CHUNK):
            body += piece
            if len(body) > cap:
                raise self._too_large(response, "counted as decompressed")
            self._backend.deadline.left()
        return bytes(body)

    def _too_large(self, response: httpx2.Response, how: str) -> SourceChangedError:
        return SourceChangedError(
            f"the answer is larger than {self.source.fetch.max_megabytes:g} MB ({how}); nothing was stored",
            _bare(str(response.url)),
            f"if the publisher really grew, raise max_megabytes in {self.source.path.name}.",
        )

    def _later(self, reply: Reply) -> RetryLaterError:
        """Return the error for a response that defers us, with how long."""
        asked = retry_after(reply.headers.get("retry-after"), self.clock())
        error = RetryLaterError(
            f"HTTP {reply.status}" + (f", asking to wait {asked:,.0f} s" if asked is not None else ""),
            _bare(reply.url),
            "fetch again later; nothing was lost.",
        )
        error.wait_seconds, error.reply = asked, reply
        error.final = asked is not None and asked > MOST_WAIT_SECONDS
        return error


def retry_after(written: str | None, now: datetime) -> float | None:
    """Return how many seconds a Retry-After asks for, as a number or as a date; None where it holds nothing readable.

    >>> retry_after("120", datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    """
    if not written:
        return None
    plain = written.strip()
    if plain.isdecimal() and len(plain) < 12:  # noqa: PLR2004
        return float(plain)
    with contextlib.suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(plain)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((moment - now).total_seconds(), 0.0)
    return None


def _inflate(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield gzip decompressed in pieces of a bounded size, so that a bomb is counted before it is held.

    Raises:
        httpx2.RemoteProtocolError: The stream is no gzip, or is cut.
    """
    engine = zlib.decompressobj(wbits=31)
    begun = False
    for chunk in chunks:
        waiting = chunk
        while waiting:
            begun = True
            try:
                piece = engine.decompress(waiting, CHUNK * 4)
            except zlib.error:
                message = "the gzip stream is damaged"
                raise httpx2.RemoteProtocolError(message) from None
            yield piece
            waiting = engine.unconsumed_tail
            if engine.eof:
                waiting = engine.unused_data
                if waiting:
                    engine = zlib.decompressobj(wbits=31)
    if begun and not engine.eof:
        message = "the gzip stream is truncated"
        raise httpx2.RemoteProtocolError(message)


def _why(failure: Exception) -> str:
    """Say what went wrong on the wire, without the address (its query may hold a secret)."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLError) or "certificate" in str(cause).lower():
            return f"the server's certificate is not to be trusted: {shown(str(cause).split('] ')[-1], 90)}"
        cause = cause.__cause__ or cause.__context__
    names = {
        "ConnectTimeout": "no connection in time", "ConnectError": "no connection", "ReadTimeout": "the answer did not come to an end in time",
        "RemoteProtocolError": "the response was truncated or broken", "ReadError": "the connection was lost",
    }  # fmt: skip
    return names.get(type(failure).__name__, f"no answer ({type(failure).__name__})")


def _bare(url: str) -> str:
    """Return an address without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.hostname or "", parts.path, "", ""))
