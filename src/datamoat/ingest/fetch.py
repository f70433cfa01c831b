"""Ask publishers politely and keep what they answer; the only code of the engine that opens a socket."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from datamoat.errors import SourceChangedError, SourceUnavailableError, UsageError
from datamoat.parsing import shown
from datamoat.project.sources import Paging, Request, Source, find_source
from datamoat.settings import Settings
from datamoat.storage.files import one_asker
from datamoat.storage.snapshots import Receipt, Snapshots

if TYPE_CHECKING:
    from datamoat.ingest.http_client import Client, Reply, RetryLaterError

MOST_FAILURES = 3  # of one source in one run: a publisher in trouble is left alone
ATTEMPTS = 3
ASK_SECONDS = 600.0  # how long to wait for another process that asks the same source
GONE = {403, 404, 410}
OK, NOT_MODIFIED = 200, 304
CLOCK_SLACK = timedelta(hours=12)
DATED = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2})(\d{2})Z)?")
HUB = "https://huggingface.co"
Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Outcome:
    """What one request came to.

    Attributes:
        what: new, unchanged (asked, nothing new), refused (an error answer, kept as evidence) or deferred.
        snapshot_id: What was stored, or what it was the same as.
        detail: One line for a person.
        is_stored: Whether a receipt was written.
    """

    request: str
    what: str
    detail: str
    snapshot_id: str | None = None
    is_stored: bool = False


@dataclass(frozen=True)
class FetchReport:
    """What asking one source came to."""

    source_id: str
    outcomes: tuple[Outcome, ...]
    n_requests: int = 0

    @property
    def snapshot_ids(self) -> list[str]:
        """What was stored now."""
        return [outcome.snapshot_id for outcome in self.outcomes if outcome.is_stored and outcome.snapshot_id]

    @property
    def is_good(self) -> bool:
        """Whether every request was answered."""
        return all(outcome.what in {"new", "unchanged", "planned"} for outcome in self.outcomes)


def fetch_source(
    settings: Settings, source: Source | str, request: str | None = None, *, dry_run: bool = False, clock: Clock = _now
) -> FetchReport:
    """Ask a source for one request or for all of them, and store every answer before anybody reads it.

    A request that was answered before is asked conditionally. One that fails is asked again after the others, at most
    three times in all and with at most three failures for the source, so that a publisher in trouble is left alone.
    Validators live in the receipts: two machines that share a data folder behave as one.

    Args:
        settings: Where things are.
        source: The source or its id.
        request: Only this one.
        dry_run: Say what would be asked; open no socket.
        clock: What time it is.

    Raises:
        UsageError: There is no such source or request, or it is not one that can be asked.
        SourceUnavailableError: The source needs a key that is not in the environment.
    """
    source = find_source(settings.content, source) if isinstance(source, str) else source
    if request is not None:
        source.request(request)
    wanted = {name: entry for name, entry in source.fetch.requests.items() if entry.live and request in (None, name)}
    if source.fetch.protocol == "inbox" or not wanted:
        raise UsageError(
            f"{source.id} has nothing to ask: a person brings its files in",
            str(source.path),
            f"datamoat fetch {source.id} --from FILE --request {request or next(iter(source.fetch.requests))} --on YYYY-MM-DD",
        )
    if dry_run:
        shelf = Snapshots(settings.snapshots, source.id)
        return FetchReport(source.id, tuple(_plan(source, shelf, name, entry) for name, entry in wanted.items()))
    secret = _secret(source)
    from datamoat.ingest.http_client import Client  # a DAG file may import this module; it must not pay for the client

    with one_asker(settings.snapshots / source.id, ASK_SECONDS), Client(source, clock=clock) as client:
        shelf = Snapshots(settings.snapshots, source.id)
        asker = _Asker(client, shelf, source, secret, clock)
        outcomes = _ask_in_rounds(asker, wanted)
        return FetchReport(source.id, tuple(outcomes[name] for name in wanted), client.n_requests)


def _ask_in_rounds(asker: "_Asker", wanted: dict[str, Request]) -> dict[str, Outcome]:
    """Ask for everything once, then again for what failed, with waits in between; give up early on a source in trouble."""
    import stamina
    from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

    from datamoat.ingest.http_client import MOST_WAIT_SECONDS, RetryLaterError

    outcomes: dict[str, Outcome] = {}
    troubles: list[tuple[str, RetryLaterError]] = []

    def again(error: Exception) -> bool | float:
        if not isinstance(error, RetryLaterError) or error.final:
            return False
        return True if error.wait_seconds is None else min(error.wait_seconds, MOST_WAIT_SECONDS)

    def one_round() -> None:
        worst: RetryLaterError | None = None
        for name in [name for name in wanted if name not in outcomes]:
            trouble = asker.try_one(name, wanted[name], outcomes)
            if trouble is None:
                continue
            troubles.append((name, trouble))
            worst = trouble if worst is None or trouble.final else worst
            if len(troubles) >= MOST_FAILURES:
                trouble.final = True
                raise trouble
        if worst is not None:
            raise worst

    set_on_retry_hooks([LoggingOnRetryHook])  # not its default, which prints to standard output where structlog is installed
    with contextlib.suppress(RetryLaterError):
        for attempt in stamina.retry_context(
            on=again, attempts=ATTEMPTS, timeout=180.0, wait_initial=1.0, wait_max=MOST_WAIT_SECONDS, wait_jitter=1.0
        ):
            with attempt:
                one_round()
    last = dict(troubles)
    return outcomes | {name: asker.give_up(name, last.get(name)) for name in wanted if name not in outcomes}


def bring_in(
    settings: Settings,
    source: Source | str,
    request: str,
    pattern: str | Path,
    on: str | date | None = None,
    *,
    clock: Clock = _now,
) -> FetchReport:
    """Bring archived answers in through the same door as live ones: bytes and receipt first, judgement at landing.

    Args:
        settings: Where things are.
        source: The source or its id.
        request: What the file is an answer to.
        pattern: A file, or a path in which `{date}` stands for the day in one folder or file name; a name that only
            begins with a day counts as that day.
        on: The day of the capture, where the path does not say it.
        clock: What time it is: a capture cannot be of tomorrow.

    Raises:
        UsageError: No file, no day, a day that does not exist or is in the future, or a file beyond the size cap.
    """
    source = find_source(settings.content, source) if isinstance(source, str) else source
    source.request(request)
    files = _dated_files(str(pattern)) if "{date}" in str(pattern) else [(_day(str(on)) if on else None, Path(pattern))]
    outcomes = []
    today = clock().date()
    with one_asker(settings.snapshots / source.id, ASK_SECONDS):
        shelf = Snapshots(settings.snapshots, source.id)
        for moment, path in files:
            if moment is None:
                raise UsageError(
                    "an archived answer needs its day", path.name, "add --on YYYY-MM-DD, or put {date} into the path."
                )
            if moment.date() > today:
                raise UsageError(f"{moment.date()} is in the future", path.name, "give the day the answer was received.")
            if not path.is_file():
                raise UsageError(
                    "no such file", str(pattern), "check the path; --from takes a file, or a path with {date} in it."
                )
            if path.stat().st_size > source.fetch.max_megabytes * 1_000_000:
                raise UsageError(
                    f"{path.stat().st_size:,} bytes, more than the source's cap of {source.fetch.max_megabytes:g} MB",
                    path.name,
                    f"raise max_megabytes in {source.path.name} if that is right.",
                )
            body = path.read_bytes()
            before = {receipt.snapshot_id for receipt in shelf.of(request)}
            receipt = shelf.store(
                request,
                body,
                retrieved_at=moment,
                url=f"file:{path.name}",
                route="archive",
                extension=path.suffix.lstrip(".").lower() or "bin",
            )
            is_new = receipt.snapshot_id not in before
            outcomes.append(
                Outcome(
                    request,
                    _novelty(receipt, is_new=is_new),
                    f"{receipt.captured_on}  {receipt.n_bytes:,} bytes",
                    receipt.snapshot_id,
                    is_new,
                )
            )
    return FetchReport(source.id, tuple(outcomes))


class _Asker:
    """Asks for one request after another with one client, and stores what comes."""

    def __init__(self, client: "Client", shelf: Snapshots, source: Source, secret: dict[str, str], clock: Clock) -> None:
        self.client, self.shelf, self.source, self.secret, self.clock = client, shelf, source, secret, clock
        self._revisions: dict[str, str] = {}

    def try_one(self, name: str, request: Request, outcomes: dict[str, Outcome]) -> "RetryLaterError | None":
        """Ask for one request; put what came into `outcomes`, or return what is to be tried again."""
        from datamoat.ingest.http_client import RetryLaterError

        try:
            outcomes[name] = self.ask(name, request)
        except RetryLaterError as failure:
            return failure
        except SourceChangedError as failure:
            outcomes[name] = Outcome(name, "refused", f"{failure.what}. {failure.fix}")
        except SourceUnavailableError as failure:
            outcomes[name] = Outcome(name, "deferred", f"{failure.what}. {failure.fix}")
        return None

    def ask(self, name: str, request: Request) -> Outcome:
        """Ask for one request by the source's protocol."""
        protocol = self.source.fetch.protocol
        if protocol == "huggingface":
            return self._ask_hub(name, request)
        if protocol == "http_pages":
            url = self._discover(request)
            return self._ask_urls(name, request, (url,))
        return self._ask_urls(name, request, (str(request.url), *request.otherwise))

    def give_up(self, name: str, trouble: "RetryLaterError | None") -> Outcome:
        """Record a request that was not answered; what the publisher said instead is kept as evidence."""
        if trouble is None:
            return Outcome(
                name, "deferred", f"not asked: {self.source.id} failed {MOST_FAILURES} times in this run. Fetch again later."
            )
        if trouble.reply is None:
            return Outcome(name, "deferred", f"{trouble.what}. {trouble.fix}")
        receipt = self._store(name, trouble.reply, trouble.reply.url)
        return Outcome(name, "deferred", f"{trouble.what}. {trouble.fix}", receipt.snapshot_id, is_stored=True)

    def _ask_urls(self, name: str, request: Request, urls: tuple[str, ...], revision: str | None = None) -> Outcome:
        last = self.shelf.last(name)
        reply = None
        for url in urls:
            reply = self.client.get(url, _validators(last, url), secret=self.secret)
            if reply.status not in GONE or url == urls[-1]:
                break
        assert reply is not None  # noqa: S101  (there is at least one address)
        if reply.status == NOT_MODIFIED:
            if last is None:
                raise SourceChangedError("HTTP 304 to a question that was not conditional", reply.url, "fetch again later.")
            return self._same(name, last, reply)
        if reply.status != OK:
            receipt = self._store(name, reply, reply.url, revision=revision)
            start = shown(reply.body[:160].decode(errors="replace"), 120)
            return Outcome(name, "refused", f"HTTP {reply.status}: {start}", receipt.snapshot_id, is_stored=True)
        pages = self._further_pages(reply, request.paging) if request.paging else [reply]
        known = {receipt.snapshot_id for receipt in self.shelf.of(name)}
        receipt = self._store(name, reply, reply.url, pages=pages, revision=revision)
        is_new = receipt.snapshot_id not in known
        return Outcome(
            name, _novelty(receipt, is_new=is_new), f"{receipt.n_bytes:,} bytes", receipt.snapshot_id, is_stored=is_new
        )

    def _ask_hub(self, name: str, request: Request) -> Outcome:
        """Resolve the dataset's revision, and fetch the file at that revision only if it is another one."""
        dataset = str(request.dataset)
        if dataset not in self._revisions:
            reply = self.client.get(f"{HUB}/api/datasets/{dataset}", secret=self.secret)
            try:
                said = json.loads(reply.body)
                revision = said["sha"] if reply.status == OK else ""
            except (ValueError, KeyError, TypeError, RecursionError):
                revision = ""
            if not isinstance(revision, str) or not re.fullmatch(r"[0-9a-f]{40}", revision):
                self._store(name, reply, reply.url, failed=True)
                raise SourceChangedError(
                    f"the Hub does not tell the revision of {dataset} (HTTP {reply.status})",
                    reply.url,
                    "look at the dataset's page; it may have moved.",
                )
            self._revisions[dataset] = revision
        revision = self._revisions[dataset]
        last = self.shelf.last(name)
        if last is not None and last.revision == revision:
            return self._same(name, last, None)
        return self._ask_urls(name, request, (f"{HUB}/datasets/{dataset}/resolve/{revision}/{request.file}",), revision)

    def _discover(self, request: Request) -> str:
        """Return the address of the file that a page links to."""
        page = self.client.get(str(request.page), secret=self.secret)
        if page.status != OK:
            raise SourceUnavailableError(
                f"the page answers with HTTP {page.status}", str(request.page), "look at it in a browser."
            )
        text = page.body.decode(errors="replace").replace("\\u002F", "/").replace("\\/", "/").replace("&amp;", "&")
        links = {match.groupdict().get("newest") or "": match[0] for match in re.finditer(str(request.link), text)}
        if not links:
            raise SourceChangedError(
                f"the page has no link like {request.link}",
                str(request.page),
                "find the link by hand, mend `link` in source.yml, or bring the file in with --from.",
            )
        return urljoin(str(request.page), links[max(links)])

    def _further_pages(self, first: "Reply", paging: Paging) -> list["Reply"]:
        """Return all pages of an answer; each must be the one that was asked for.

        Raises:
            SourceChangedError: A page came twice, is missing, or there is no end.
        """
        pages = [first]
        one, total, _ = _page_state(first.body, paging)
        while _page_state(pages[-1].body, paging)[2]:
            if len(pages) >= paging.most:
                raise SourceChangedError(f"more than {paging.most} pages", first.url, "raise `most` if that is right.")
            reply = self.client.get(_with_query(first.url, {paging.param: str(len(pages) + 1)}), secret=self.secret)
            if reply.status != OK:
                raise SourceChangedError(
                    f"page {len(pages) + 1} answers with HTTP {reply.status}; nothing was stored", first.url, "fetch again later."
                )
            number = _page_state(reply.body, paging)[0]
            if (one is not None and number != len(pages) + 1) or any(reply.body == page.body for page in pages):
                given = "one without a number" if number is None and one is not None else f"page {number or 1} again"
                raise SourceChangedError(
                    f"asked for page {len(pages) + 1} and was given {given}; nothing was stored",
                    first.url,
                    "fetch again later.",
                )
            pages.append(reply)
        if total and total != len(pages):
            raise SourceChangedError(
                f"{total} pages were announced and {len(pages)} came; nothing was stored", first.url, "fetch again later."
            )
        return pages

    def _same(self, name: str, last: Receipt, reply: "Reply | None") -> Outcome:
        moment, note = self._moment(reply, last)
        known = {receipt.snapshot_id for receipt in self.shelf.of(name)}
        receipt = self.shelf.seen_again(last, moment, note)
        return Outcome(
            name,
            "unchanged",
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
        """Keep an answer; its validators count only for the address that was asked."""
        moment, note = self._moment(reply, self.shelf.last(name))
        bodies = [page.body for page in pages or [reply]]
        headers = reply.headers
        return self.shelf.store(
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
            ), f"clock suspicious: this machine says {ours:%Y-%m-%d %H:%M}, the publisher {theirs:%Y-%m-%d %H:%M}"
        if last is not None and ours < last.retrieved_at - CLOCK_SLACK:
            return (
                ours,
                f"clock suspicious: this machine says {ours:%Y-%m-%d %H:%M}, and the last answer came {last.retrieved_at:%Y-%m-%d %H:%M}",
            )
        return ours, None


def public_url(url: str) -> str:
    """Return an address that may be shown: without user, password, and the values of what looks like a secret."""
    parts = urlsplit(url)
    secret = re.compile(r"key|token|secret|signature|credential|password|auth|session", re.IGNORECASE)
    query = urlencode(
        [(name, "…" if secret.search(name) else value) for name, value in parse_qsl(parts.query, keep_blank_values=True)],
        safe="…,",
    )
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, (parts.hostname or "") + port, parts.path, query, ""))


def _novelty(receipt: Receipt, *, is_new: bool) -> str:
    """Say whether an answer holds anything that this request had not brought before."""
    return (
        "new"
        if is_new and not (receipt.same_bytes_as or "").startswith(f"{receipt.source_id}/{receipt.request}/")
        else "unchanged"
    )


def _secret(source: Source) -> dict[str, str]:
    """Return the header with the access key, from the environment."""
    key = source.fetch.key
    if key is None:
        return {}
    value = os.environ.get(key.env, "").strip()
    if not value:
        raise SourceUnavailableError(
            f"{source.id} needs a key, and {key.env} is not set",
            str(source.path),
            f"get a key from {source.publisher.url} and set {key.env}.",
        )
    return {key.header: value}


def _plan(source: Source, shelf: Snapshots, name: str, request: Request) -> Outcome:
    """Say what would be asked."""
    last = shelf.last(name)
    urls = [url for url in (request.url, *request.otherwise, request.page) if url]
    if source.fetch.protocol == "huggingface":
        urls = [f"{HUB}/api/datasets/{request.dataset}", f"{HUB}/datasets/{request.dataset}/resolve/REVISION/{request.file}"]
    conditional = f", conditional on what came on {last.captured_on}" if last is not None and _validators(last, last.url) else ""
    key = source.fetch.key
    with_key = "" if key is None else f", with the key in {key.env}" + ("" if os.environ.get(key.env) else " (not set)")
    return Outcome(
        name, "planned", f"GET {' else '.join(map(public_url, urls))}{conditional}{with_key}", last.snapshot_id if last else None
    )


def _validators(last: Receipt | None, url: str) -> dict[str, str]:
    """Return the headers that make a question conditional; only for the one page at the address they were given for."""
    if last is None or last.route != "http" or last.url != public_url(url) or last.parts:
        return {}
    found = {"If-None-Match": last.etag, "If-Modified-Since": last.last_modified}
    return {name: value for name, value in found.items() if value}


def _page_state(body: bytes, paging: Paging) -> tuple[int | None, int | None, bool]:
    """Return the page's number, how many there are, and whether another follows; (None, None, False) if it says nothing."""
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        return None, None, False

    def at(path: str) -> Any:  # noqa: ANN401
        value = page
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    number, total, more = at(paging.number), at(paging.total), at(paging.more)
    numbered = number if isinstance(number, int) else None
    counted = total if isinstance(total, int) else None
    return (
        numbered,
        counted,
        more is True or (more is None and numbered is not None and counted is not None and numbered < counted),
    )


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


def _dated_files(pattern: str) -> list[tuple[datetime | None, Path]]:
    """Return the files a pattern with `{date}` fits, in order of time."""
    if pattern.count("{date}") != 1:
        raise UsageError("{date} may stand once in a path", pattern, "write one {date}, for one folder or file name.")
    path = Path(pattern)
    index = next(number for number, part in enumerate(path.parts) if "{date}" in part)
    before, _, after = path.parts[index].partition("{date}")
    name = re.compile(re.escape(before) + f"(?P<day>{DATED.pattern})[^/]*?" + re.escape(after))
    root = Path(*path.parts[:index]) if index else Path()
    if not root.is_dir():
        raise UsageError("no such folder", str(root), "check the path; a relative one starts at the current folder.")
    found: list[tuple[datetime | None, Path]] = []
    for entry in sorted(root.iterdir()):
        match = name.fullmatch(entry.name)
        file = entry.joinpath(*path.parts[index + 1 :])
        if match and file.is_file():
            found.append((_day(match["day"]), file))
    if not found:
        raise UsageError("no file fits", pattern, "{date} stands for YYYY-MM-DD in one folder or file name.")
    return sorted(found, key=lambda pair: (pair[0] or datetime.min.replace(tzinfo=UTC), str(pair[1])))


def _day(written: str) -> datetime:
    """Return the UTC instant of a day, or of a day and a time as in 2026-02-10T0402Z."""
    match = DATED.match(written)
    try:
        if not match:
            raise ValueError  # noqa: TRY301
        moment = datetime.combine(date.fromisoformat(match[1]), datetime.min.time(), tzinfo=UTC)
        return moment if match[2] is None else moment.replace(hour=int(match[2]), minute=int(match[3]))
    except ValueError:
        raise UsageError(f"{shown(written)} is not a day", "--on, or the path", "write YYYY-MM-DD.") from None
