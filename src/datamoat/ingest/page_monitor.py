"""Has a page that a person transcribed changed? Looks again at what is cited, and names what it cannot look at."""

import html
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from datamoat.errors import DatamoatError, SourceUnavailableError
from datamoat.project.reference import read_reference
from datamoat.project.sources import Fetch, Request, Source
from datamoat.settings import Settings
from datamoat.storage.files import one_client
from datamoat.storage.snapshots import Receipt, Snapshots

FOLDER = "watched_pages"
READ = "page_read"  # the verification of a citation when a person read the page itself
PINNED = re.compile(r"/[0-9a-f]{40}/|arxiv\.org/(abs|pdf)/\d{4}\.\d{4,5}v\d+|/web/\d{8,14}")
UNSEEN = re.compile(r"<(script|style|template|noscript)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
NUMBER = re.compile(r"\d[\d.,]*\d|\d")
GONE = {404, 410}
OK = 200
TERMS = "terms changed"
ALARMS = {"values missing", "gone", "changed unseen", "moved", TERMS}
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Finding:
    """What became of one cited page.

    Attributes:
        state: first seen, unchanged, changed (the values are there), values missing, changed unseen (no text to compare),
            gone, moved, unreachable, terms changed; or pinned (its address names one version), not read (only an excerpt was ever
            seen), not https: these three are not fetched.
        detail: One line for a person.
    """

    citation_ids: tuple[str, ...]
    url: str
    state: str
    detail: str = ""

    @property
    def is_alarm(self) -> bool:
        """Whether a person should read the page again."""
        return self.state in ALARMS


@dataclass(frozen=True)
class Page:
    """One address, who cites it, what its bytes were when it was read, and the values taken from it."""

    url: str
    citation_ids: tuple[str, ...]
    verification: str
    sha256: str | None
    values: tuple[str, ...]


def watch_pages(settings: Settings, *, clock: Clock = lambda: datetime.now(UTC)) -> list[Finding]:
    """Ask once for every cited page that can change and that a person read, and for the terms of live sources, and compare.

    What is compared is the text that a reader sees: markup, scripts and white space are left out. A value is gone when
    its digits were in the page before and are not now. A page that needs a browser, or is no text, is compared by its bytes.

    Raises:
        ContentError: A reference file is malformed.
    """
    with one_client(settings.snapshots / FOLDER, 600):
        store = Snapshots(settings.snapshots, FOLDER)
        found = [_look(settings, store, page, clock) for page in cited_pages(settings)]
        from datamoat.ingest.terms import changed_terms, pages_of_terms  # which reads what was stored here

        terms = [_look(settings, store, page, clock) for page in pages_of_terms(settings)]
        changed = {f"terms-{source}" for source in changed_terms(settings)}
        return found + [replace(one, state=TERMS) if one.citation_ids[0] in changed else one for one in terms]


def summary(findings: list[Finding]) -> dict[str, int]:
    """Return how many pages are in each state."""
    return dict(sorted(Counter(finding.state for finding in findings).items()))


def cited_pages(settings: Settings) -> list[Page]:
    """Return every cited address once, with the values that rows of any reference table take from it."""
    tables = {table.name: table.frame for table in read_reference(settings.reference)}
    values: dict[str, set[str]] = {}
    for frame in tables.values():
        if {"citation_id", "figure_as_stated"} <= set(frame.columns):
            for citation, value in frame.select("citation_id", "figure_as_stated").iter_rows():
                values.setdefault(citation, set()).update(NUMBER.findall(value or ""))
    by_url: dict[str, list[dict[str, str | None]]] = {}
    for row in tables["citations"].to_dicts() if "citations" in tables else []:
        if row.get("url"):
            by_url.setdefault(str(row["url"]), []).append(row)
    pages = []
    for url, rows in sorted(by_url.items()):
        ids = tuple(sorted(str(row["citation_id"]) for row in rows))
        read = any(row.get("verification") == READ for row in rows)
        hashes = [row["page_sha256"] for row in rows if row.get("page_sha256")]
        taken = sorted(set().union(*(values.get(name, set()) for name in ids)))
        pages.append(Page(url, ids, READ if read else "excerpt", hashes[0] if hashes else None, tuple(taken)))
    return pages


def seen_text(body: bytes) -> str | None:
    """Return the text a reader sees, white space collapsed; None for what is no text.

    >>> seen_text(b"<p>5&nbsp;hours<script>x=9</script> a <b>day</b></p>")
    '5 hours a day'
    """
    if b"\0" in body[:4096] or body.startswith(b"%PDF"):
        return None
    return " ".join(html.unescape(UNSEEN.sub(" ", body.decode(errors="replace"))).split())


def _look(settings: Settings, store: Snapshots, page: Page, clock: Clock) -> Finding:
    """Look at one page, if it can be looked at."""
    listed = _not_asked(page)
    if listed is not None:
        return Finding(page.citation_ids, page.url, *listed)
    name = page.citation_ids[0].lower()
    before = store.last(name)
    try:
        now = _ask(settings, store, page, name, clock)
    except SourceUnavailableError as failure:
        return Finding(page.citation_ids, page.url, "unreachable", failure.what)
    except DatamoatError as failure:
        return Finding(page.citation_ids, page.url, "moved", failure.what)
    if now.status in GONE:
        return Finding(page.citation_ids, page.url, "gone", f"HTTP {now.status}")
    if now.status != OK:
        return Finding(page.citation_ids, page.url, "unreachable", f"HTTP {now.status}")
    return Finding(page.citation_ids, page.url, *_compare(store, page, before, now))


def _not_asked(page: Page) -> tuple[str, str] | None:
    if page.verification != READ:
        return "not read", "only an excerpt was ever seen, so there is nothing to compare with"
    if PINNED.search(page.url):
        return "pinned", "the address names one version, which cannot change"
    if urlsplit(page.url).scheme != "https":
        return "not https", "only https is fetched"
    return None


def _ask(settings: Settings, store: Snapshots, page: Page, name: str, clock: Clock) -> Receipt:
    """Ask for one page and keep the answer; its own host, and no other, may be reached."""
    from datamoat.ingest.http_client import Client, RetryLaterError

    host = (urlsplit(page.url).hostname or "").lower()
    fetch = Fetch(
        protocol="http", every="weekly", hosts=(host, f".{host}"), requests={"page": Request(about="A page.", url=page.url)}
    )
    source = Source.model_construct(id=FOLDER, folder=settings.reference, title="Pages that were transcribed", fetch=fetch)
    with Client(source, clock=clock) as client:
        try:
            reply = client.get(page.url)
        except RetryLaterError as failure:
            raise SourceUnavailableError(failure.what, failure.where, failure.fix) from None
    moment = clock()
    return store.store(name, reply.body, retrieved_at=moment, url=page.url, route="http", extension="html", status=reply.status)


def _compare(store: Snapshots, page: Page, before: Receipt | None, now: Receipt) -> tuple[str, str]:
    """Return how the page differs from the last time, or from the day it was transcribed."""
    if before is None:
        if page.sha256 is not None and page.sha256 != now.sha256:
            return "changed unseen", "other bytes than on the day it was transcribed, and those were not kept"
        return "first seen", _visible(page, seen_text(store.body(now)))
    if before.sha256 == now.sha256:
        return "unchanged", f"the same bytes as on {before.captured_on}"
    then, text = seen_text(store.body(before)), seen_text(store.body(now))
    if then is None or text is None:
        return "changed unseen", f"other bytes than on {before.captured_on}, and no text to compare"
    if then == text:
        return "unchanged", f"the same text as on {before.captured_on}"
    lost = [value for value in page.values if _has(then, value) and not _has(text, value)]
    if lost:
        return "values missing", f"there on {before.captured_on}, not now: {', '.join(lost[:8])}"
    return "changed", f"other text than on {before.captured_on}; {_visible(page, text)}"


def _visible(page: Page, text: str | None) -> str:
    n = sum(_has(text or "", value) for value in page.values)
    return f"{n} of the {len(page.values)} values taken from it are visible"


def _has(text: str, value: str) -> bool:
    return re.search(rf"(?<![\d.,]){re.escape(value)}(?![\d]|[.,]\d)", text) is not None
