"""Fetch one request by the protocol of its source, and store every response as received."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from datamoat.errors import SourceChangedError, SourceUnavailableError
from datamoat.ingest.outcome import Clock, Outcome, novelty
from datamoat.ingest.paging import page_state
from datamoat.ingest.status import FetchStatus
from datamoat.parsing import shown
from datamoat.project.sources import Paging, Request, Source
from datamoat.storage.snapshots import Receipt, Snapshots

if TYPE_CHECKING:
    from datamoat.ingest.http_client import Client, Reply, RetryLaterError

MOST_FAILURES = 3  # of one source in one run: a publisher in trouble is left alone
GONE = {403, 404, 410}
OK, NOT_MODIFIED = 200, 304
CLOCK_SLACK = timedelta(hours=12)
HUB = "https://huggingface.co"


class Fetcher:
    """Asks for one request after another with one client, and stores what comes."""

    def __init__(self, client: "Client", store: Snapshots, source: Source, secret: dict[str, str], clock: Clock) -> None:
        self.client, self.store, self.source, self.secret, self.clock = client, store, source, secret, clock
        self._revisions: dict[str, str] = {}

    def try_one(self, name: str, request: Request, outcomes: dict[str, Outcome]) -> "RetryLaterError | None":
        """Fetch one request; put its outcome into `outcomes`, or return what is to be tried again."""
        from datamoat.ingest.http_client import RetryLaterError

        try:
            outcomes[name] = self.ask(name, request)
        except RetryLaterError as failure:
            return failure
        except SourceChangedError as failure:
            outcomes[name] = Outcome(name, FetchStatus.REFUSED, f"{failure.what}. {failure.fix}")
        except SourceUnavailableError as failure:
            outcomes[name] = Outcome(name, FetchStatus.DEFERRED, f"{failure.what}. {failure.fix}")
        return None

    def ask(self, name: str, request: Request) -> Outcome:
        """Fetch one request by the source's protocol."""
        protocol = self.source.fetch.protocol
        if protocol == "huggingface":
            return self._ask_hub(name, request)
        if protocol == "http_pages":
            url = self._discover(request)
            return self._ask_urls(name, request, (url,))
        return self._ask_urls(name, request, (str(request.url), *request.otherwise))

    def give_up(self, name: str, trouble: "RetryLaterError | None") -> Outcome:
        """Record a request without a response; an error response is stored as evidence."""
        if trouble is None:
            return Outcome(
                name,
                FetchStatus.DEFERRED,
                f"not fetched: {self.source.id} failed {MOST_FAILURES} times in this run. Fetch again later.",
            )
        if trouble.reply is None:
            return Outcome(name, FetchStatus.DEFERRED, f"{trouble.what}. {trouble.fix}")
        receipt = self._store(name, trouble.reply, trouble.reply.url)
        return Outcome(name, FetchStatus.DEFERRED, f"{trouble.what}. {trouble.fix}", receipt.snapshot_id, is_stored=True)

    def _ask_urls(self, name: str, request: Request, urls: tuple[str, ...], revision: str | None = None) -> Outcome:
        last = self.store.last(name)
        reply = None
        for url in urls:
            reply = self.client.get(url, _validators(last, url), secret=self.secret)
            if reply.status not in GONE or url == urls[-1]:
                break
        assert reply is not None  # noqa: S101  (there is at least one address)
        if reply.status == NOT_MODIFIED:
            if last is None:
                raise SourceChangedError("HTTP 304 to a request that was not conditional", reply.url, "fetch again later.")
            return self._same(name, last, reply)
        if reply.status != OK:
            receipt = self._store(name, reply, reply.url, revision=revision)
            start = shown(reply.body[:160].decode(errors="replace"), 120)
            return Outcome(name, FetchStatus.REFUSED, f"HTTP {reply.status}: {start}", receipt.snapshot_id, is_stored=True)
        pages = self._further_pages(reply, request.paging) if request.paging else [reply]
        known = {receipt.snapshot_id for receipt in self.store.of(name)}
        receipt = self._store(name, reply, reply.url, pages=pages, revision=revision)
        is_new = receipt.snapshot_id not in known
        return Outcome(name, novelty(receipt, is_new=is_new), f"{receipt.n_bytes:,} bytes", receipt.snapshot_id, is_stored=is_new)

    def _ask_hub(self, name: str, request: Request) -> Outcome:
        """Resolve the dataset's revision, and fetch the file at that revision only if it is another one."""
        dataset = str(request.dataset)
        if dataset not in self._revisions:
            reply = self.client.get(f"{HUB}/api/datasets/{dataset}", secret=self.secret)
            try:
                revision = json.loads(reply.body)["sha"] if reply.status == OK else ""
            except (ValueError, KeyError, TypeError, RecursionError):
                revision = ""
            if not isinstance(revision, str) or not re.fullmatch(r"[0-9a-f]{40}", revision):
                self._store(name, reply, reply.url, failed=True)
                raise SourceChangedError(
                    f"the Hub does not give the revision of {dataset} (HTTP {reply.status})",
                    reply.url,
                    "look at the dataset's page; it may have moved.",
                )
            self._revisions[dataset] = revision
        revision = self._revisions[dataset]
        last = self.store.last(name)
        if last is not None and last.revision == revision:
            return self._same(name, last, None)
        return self._ask_urls(name, request, (f"{HUB}/datasets/{dataset}/resolve/{revision}/{request.file}",), revision)

    def _discover(self, request: Request) -> str:
        """Return the address of the file that a page links to."""
        page = self.client.get(str(request.page), secret=self.secret)
        if page.status != OK:
            raise SourceUnavailableError(
                f"the page responds with HTTP {page.status}", str(request.page), "look at it in a browser."
            )
        text = page.body.decode(errors="replace").replace("\\u002F", "/").replace("\\/", "/").replace("&amp;", "&")
        links = {match.groupdict().get("newest") or "": match[0] for match in re.finditer(str(request.link), text)}
        if not links:
            raise SourceChangedError(
                f"the page has no link like {request.link}",
                str(request.page),
                "find the link by hand, fix `link` in source.yml, or bring the file in with --from.",
            )
        return urljoin(str(request.page), links[max(links)])

    def _further_pages(self, first: "Reply", paging: Paging) -> list["Reply"]:
        """Return all pages of an answer; each must be the one that was asked for.

        Raises:
            SourceChangedError: A page came twice, is missing, or there is no end.
        """
        pages = [first]
        one, total, _ = page_state(first.body, paging)
        while page_state(pages[-1].body, paging)[2]:
            if len(pages) >= paging.most:
                raise SourceChangedError(f"more than {paging.most} pages", first.url, "raise `most` if that is right.")
            reply = self.client.get(_with_query(first.url, {paging.param: str(len(pages) + 1)}), secret=self.secret)
            if reply.status != OK:
                raise SourceChangedError(
                    f"page {len(pages) + 1} responds with HTTP {reply.status}; nothing was stored",
                    first.url,
                    "fetch again later.",
                )
            number = page_state(reply.body, paging)[0]
            if (one is not None and number != len(pages) + 1) or any(reply.body == page.body for page in pages):
                given = "one without a number" if number is None and one is not None else f"page {number or 1} again"
                raise SourceChangedError(
                    f"requested page {len(pages) + 1} and got {given}; nothing was stored",
                    first.url,
                    "fetch again later.",
                )
            pages.append(reply)
        if total and total != len(pages):
            raise SourceChangedError(
                f"{total} pages were announced and {len(pages)} received; nothing was stored", first.url, "fetch again later."
            )
        return pages

    def _same(self, name: str, last: Receipt, reply: "Reply | None") -> Outcome:
        moment, note = self._moment(reply, last)
        known = {receipt.snapshot_id for receipt in self.store.of(name)}
        receipt = self.store.seen_again(last, moment, note)
        return Outcome(
            name,
            FetchStatus.UNCHANGED,
            f"nothing new since {last.captured_on}",
            receipt.snapshot_id,
            is_stored=receipt.snapshot_id not in known,
        )

    def _store(
        self,
        name: str,
        reply: "Reply",
        url: str,
        *,
        pages: list["Reply"] | None = None,
        revision: str | None = None,
        failed: bool = False,
    ) -> Receipt:
        """Store a response; its validators count only for the address it came from."""
        moment, note = self._moment(reply, self.store.last(name))
        bodies = [page.body for page in pages or [reply]]
        headers = reply.headers
        return self.store.store(
            name, b"".join(bodies), retrieved_at=moment, url=public_url(url), route="http",
            extension=_extension(url, headers.get("content-type", "")), status=max(reply.status, 502) if failed else reply.status,
            parts=tuple(map(len, bodies)) if len(bodies) > 1 else (), content_type=headers.get("content-type"),
            etag=headers.get("etag"), last_modified=headers.get("last-modified"), revision=revision, clock_note=note,
        )  # fmt: skip

    def _moment(self, reply: "Reply | None", last: Receipt | None) -> tuple[datetime, str | None]:
        """Return when the answer came, and a note where this machine's clock is in doubt.

        Where the publisher's clock is far from ours, the earlier of the two is taken: nothing may seem to come from the
        future.
        """
        ours = self.clock().astimezone(UTC)
        theirs = None
        if reply is not None and reply.headers.get("date"):
            try:
                theirs = parsedate_to_datetime(reply.headers["date"]).astimezone(UTC)
            except (ValueError, TypeError):
                theirs = None
        if theirs is not None and abs(ours - theirs) > CLOCK_SLACK:
            return min(
                ours, theirs
            ), f"clock suspicious: this machine shows {ours:%Y-%m-%d %H:%M}, the publisher {theirs:%Y-%m-%d %H:%M}"
        if last is not None and ours < last.retrieved_at - CLOCK_SLACK:
            return (
                ours,
                f"clock suspicious: this machine shows {ours:%Y-%m-%d %H:%M}, and the last response is of {last.retrieved_at:%Y-%m-%d %H:%M}",
            )
        return ours, None


def plan(source: Source, store: Snapshots, name: str, request: Request) -> Outcome:
    """Return what would be fetched."""
    last = store.last(name)
    urls = [url for url in (request.url, *request.otherwise, request.page) if url]
    if source.fetch.protocol == "huggingface":
        urls = [f"{HUB}/api/datasets/{request.dataset}", f"{HUB}/datasets/{request.dataset}/resolve/REVISION/{request.file}"]
    conditional = (
        f", conditional on the response of {last.captured_on}" if last is not None and _validators(last, last.url) else ""
    )
    key = source.fetch.key
    with_key = "" if key is None else f", with the key in {key.env}" + ("" if os.environ.get(key.env) else " (not set)")
    return Outcome(
        name,
        FetchStatus.PLANNED,
        f"GET {' else '.join(map(public_url, urls))}{conditional}{with_key}",
        last.snapshot_id if last else None,
    )


def public_url(url: str) -> str:
    """Return an address that may be shown: without user, password, and the values of what looks like a secret."""
    parts = urlsplit(url)
    secret = re.compile(r"key|token|secret|signature|credential|password|auth|session", re.IGNORECASE)
    query = urlencode(
        [(name, "***" if secret.search(name) else value) for name, value in parse_qsl(parts.query, keep_blank_values=True)],
        safe="*,",
    )
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, (parts.hostname or "") + port, parts.path, query, ""))


def _validators(last: Receipt | None, url: str) -> dict[str, str]:
    """Return the headers that make a question conditional; only for the one page at the address they were given for."""
    if last is None or last.route != "http" or last.url != public_url(url) or last.parts:
        return {}
    found = {"If-None-Match": last.etag, "If-Modified-Since": last.last_modified}
    return {name: value for name, value in found.items() if value}


def _with_query(url: str, values: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **values}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _extension(url: str, content_type: str) -> str:
    suffix = Path(urlsplit(url).path).suffix.lstrip(".").lower()
    if re.fullmatch(r"json|csv|parquet|zip|xlsx|html", suffix):
        return suffix
    for word in ("json", "csv", "html", "zip", "parquet"):
        if word in content_type.lower():
            return word
    return "bin"
