"""Where a socket may go: only to listed hosts, only to public addresses, checked again on every hop."""

import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from datamoat.errors import SourceChangedError, SourceUnavailableError, UsageError
from datamoat.parsing import shown
from datamoat.project.sources import Source, host_allowed

LOOPBACK_FLAG = "DATAMOAT_ALLOW_LOOPBACK"
UPSTREAM = "DATAMOAT_UPSTREAM_"
SHARED_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def upstream_override(source: Source) -> str | None:
    """Return the loopback address that replaces a source's hosts in a test, if both switches are set.

    `DATAMOAT_UPSTREAM_<SOURCE>=http://127.0.0.1:port` names it, and counts only with `DATAMOAT_ALLOW_LOOPBACK=1`.

    Raises:
        UsageError: It is named without the second switch, or is not a loopback address with a port.
    """
    name = f"{UPSTREAM}{source.id.upper()}"
    base = os.environ.get(name)
    if not base:
        return None
    if os.environ.get(LOOPBACK_FLAG) != "1":
        raise UsageError(
            f"{name} is set without {LOOPBACK_FLAG}=1", "the environment", f"unset {name}, or set {LOOPBACK_FLAG}=1 for a test."
        )
    parts = urlsplit(base)
    if (
        parts.scheme != "http"
        or parts.hostname not in {"127.0.0.1", "::1", "localhost"}
        or not parts.port
        or parts.path.strip("/")
    ):
        raise UsageError(
            f"{name} must be http://127.0.0.1:PORT", "the environment", "name a server on this machine by scheme, host and port."
        )
    return base.rstrip("/")


def check_url(url: str, source: Source, override: str | None) -> None:
    """Refuse an address before anything is resolved or connected.

    Raises:
        SourceChangedError: Not https, another port, a name with a password, or a host that is not on the source's list.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise _refused(url, source, "it is not an address") from None
    if override and f"{parts.scheme}://{parts.netloc}" == override:
        return
    if parts.scheme != "https":
        raise _refused(url, source, f"its scheme is {shown(parts.scheme, 12)}, and only https is fetched")
    if parts.username is not None or parts.password is not None:
        raise _refused(url, source, "it carries a user name or a password")
    if port not in (None, 443):
        raise _refused(url, source, f"its port is {port}")
    if not host_allowed(host, source.fetch.hosts):
        raise _refused(
            url,
            source,
            f"its host {shown(host)} is not among {', '.join(source.fetch.hosts) or 'none'}",
            f"check by hand that {shown(host)} is the publisher's; if it is, add it to `hosts` on this line.",
        )


def public_addresses(host: str, port: int, *, loopback: bool = False) -> list[str]:
    """Resolve a name once and return its addresses, all of them public; the caller connects to these, not to the name.

    Raises:
        SourceUnavailableError: The name does not resolve.
        SourceChangedError: One of the addresses is private, loopback, link-local or otherwise not public.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as failure:
        raise SourceUnavailableError(
            f"the name {host} does not resolve: {failure.strerror or failure}",
            host,
            "check the network and the name, then fetch again.",
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        address = ipaddress.ip_address(text.split("%")[0])
        if not (_public(address) or (loopback and address.is_loopback)):
            raise SourceChangedError(
                f"the name {host} leads to {address}, which is not a public address",
                host,
                "do not fetch this; look at who answers for the name.",
            )
    return addresses


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address, and any address hidden inside it, belongs to the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in SHARED_NAT64:  # how a network without IPv4 reaches it
            return _public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            return _public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None:  # no publisher is in these: relays that are given up
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class Deadline:
    """A moment by which everything must be over."""

    def __init__(self, seconds: float) -> None:
        """Begin to count."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Return the seconds left, at most `most`.

        Raises:
            httpcore2.ReadTimeout: None are left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            message = f"no end after {self.seconds:g} s"
            raise httpcore2.ReadTimeout(message)
        return left if most is None else min(left, most)


class GuardedBackend(httpcore2.SyncBackend):
    """Connects to public addresses only, by number, and never past the deadline."""

    def __init__(self, *, loopback: bool) -> None:
        """Remember whether a server on this machine is allowed."""
        self.loopback = loopback
        self.deadline = Deadline(60)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Resolve, check and connect; a name that changes its address in between gains nothing."""
        failure: Exception | None = None
        for address in public_addresses(host, port, loopback=self.loopback):
            try:
                stream = super().connect_tcp(address, port, self.deadline.left(timeout), local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as refused:
                failure = refused
                continue
            return _GuardedStream(stream, self)
        raise failure or httpcore2.ConnectError(f"no address for {host}")


class _GuardedStream(httpcore2.NetworkStream):
    """A stream whose reads and writes all end by the deadline: a byte a second does not restart the clock."""

    def __init__(self, stream: httpcore2.NetworkStream, backend: GuardedBackend) -> None:
        self._stream, self._backend = stream, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _GuardedStream(
            self._stream.start_tls(ssl_context, server_hostname, self._backend.deadline.left(timeout)), self._backend
        )

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401
        return self._stream.get_extra_info(info)


def _refused(
    url: str,
    source: Source,
    why: str,
    fix: str = "look at the address; only https, port 443 and the hosts of this line, without a password, are fetched.",
) -> SourceChangedError:
    """Return the error, with the line of `source.yml` that lists the hosts."""
    lines = source.path.read_text(encoding="utf-8").splitlines() if source.path.is_file() else []
    line = next((number for number, text in enumerate(lines, start=1) if text.lstrip().startswith("hosts:")), 1)
    return SourceChangedError(f"refused to ask {shown(url.split('?', maxsplit=1)[0], 120)}: {why}", f"{source.path}:{line}", fix)
