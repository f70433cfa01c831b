"""Fetch the parts of a streamed source: to a file, hashed as it comes, resumed where it broke off, one part after another."""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from datamoat.errors import PublishRefusedError, SourceChangedError, SourceUnavailableError, UsageError
from datamoat.ingest.counting import Engine, PartFile, count_part
from datamoat.ingest.part_receipts import PartReceipt, definition_of, folder_of, read_receipts
from datamoat.parsing import shown
from datamoat.project.part import Part
from datamoat.project.sources import Source
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, one_client
from datamoat.storage.store import synchronise

if TYPE_CHECKING:
    from datamoat.ingest.http_client import Client

OK, PARTIAL, GONE, NOT_SATISFIABLE = 200, 206, {403, 404, 410}, 416
ATTEMPTS = 4
RESERVE = 256 * 2**20  # bytes of disk that a download leaves free
CHECKSUMS = {".sha1": re.compile(r"\b[0-9a-fA-F]{40}\b"), ".sha256": re.compile(r"\b[0-9a-fA-F]{64}\b")}


@dataclass(frozen=True)
class Due:
    """One part that is to be fetched and counted."""

    request: str
    part_on: date


def parts_due(settings: Settings, source: Source, today: date) -> list[Due]:
    """Return the parts of which a vintage is due and not yet there, the oldest day first.

    A part is due `again_after` days after its day, once for each number, and missed ones for `catch_up_days`; and again
    where its counts were made under another definition.
    """
    part = _declared(source)
    if part.max_gigabytes == 0 or part.first_on is None:
        return []
    synchronise(settings, f"snapshots/{source.id}")
    receipts = read_receipts(settings, source)
    definition = definition_of(source) if receipts else ""
    newest: dict[Due, date] = {}
    current: dict[Due, date] = {}
    for one in receipts:
        if one.part_on is not None:
            due = Due(one.request, one.part_on)
            newest[due] = one.captured_on
            if one.definition == definition:
                current[due] = one.captured_on
    wanted = {due for due in newest if due not in current}
    first = date.fromisoformat(part.first_on)
    for request in source.fetch.requests:
        for offset in part.again_after:
            for late in range(part.catch_up_days + 1):
                day = today - timedelta(days=offset + late)
                held = current.get(Due(request, day))
                if day >= first and (held is None or held < day + timedelta(days=offset)):
                    wanted.add(Due(request, day))
    return sorted(wanted, key=lambda due: (due.part_on, due.request))


def fetch_and_count(
    settings: Settings,
    source: Source,
    due: Due,
    now: datetime,
    *,
    engine: Engine = "duckdb",
    remote: str | None = None,
) -> PartReceipt:
    """Fetch one part and count it; the bytes go once the counts are verified, unless the source keeps them.

    A download that broke off goes on where it stopped, in this run or the next.

    Raises:
        UsageError: The source is never fetched.
        SourceUnavailableError: The publisher does not answer, or has no such part yet.
        SourceChangedError: The part is larger than the cap, fails its checksum, or cannot be read.
        PublishRefusedError: The disk has no room for it; raised before the download.
    """
    part = _declared(source)
    url = str(source.request(due.request).url or "").replace("{date}", due.part_on.isoformat())
    if part.max_gigabytes == 0 or not url:
        raise UsageError(
            f"{source.id} is never fetched",
            str(source.path),
            f"datamoat add-file {source.id} PATH counts a file you hold; max_gigabytes > 0 lets it be fetched.",
        )
    name = Path(urlsplit(url).path).name
    folder = settings.snapshots / source.id / "downloads" / name
    from datamoat.ingest.http_client import Client  # a DAG file may import this module; it must not pay for the client

    with one_client(folder, 600.0):
        with Client(source) as client:
            checksum = None
            if part.checksum is not None:
                checksum = _publisher_checksum(client, url, part.checksum)
            path = download(client, url, folder / name, int(part.max_gigabytes * 1e9))
        file = PartFile(due.request, str(path), name, url, due.part_on, checksum)
        try:
            receipt = count_part(settings, source, file, now, engine=engine, remote=remote)
        except SourceChangedError:
            path.replace(path.with_suffix(".refused"))  # evidence for a person; the next fetch starts from zero
            raise
        if part.keep_bytes:
            path.replace(folder_of(settings, source.id) / (receipt.counts.removesuffix(".parquet") + path.suffix))
    shutil.rmtree(folder, ignore_errors=True)
    return receipt


def download(client: "Client", url: str, path: Path, most_bytes: int) -> Path:
    """Fetch an address into a file, resuming a partial download, and return the file.

    Raises:
        SourceUnavailableError: No whole answer in a few attempts; the bytes received are there for the next run.
        SourceChangedError: It is larger than the cap, or the answer is an error.
        PublishRefusedError: The disk has no room for it.
    """
    from datamoat.ingest.http_client import RetryLaterError

    partial = path.with_name(path.name + ".partial")
    if path.is_file():  # whole, and not counted by a run that was killed: the publisher decides whether it is still the part
        path.replace(partial)
    tag = path.with_name(path.name + ".etag")
    failure: RetryLaterError | None = None
    for _ in range(ATTEMPTS):
        have = partial.stat().st_size if partial.is_file() else 0
        validator = tag.read_text() if have and tag.is_file() else ""
        headers = {"Accept-Encoding": "identity"}
        if have and validator:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        elif have:
            partial.unlink()
        sink = _Sink(partial, tag, path, most_bytes)
        try:
            reply = client.get(url, headers, sink=sink)
        except RetryLaterError as later:
            failure = later
            continue
        if reply.status in GONE:
            raise SourceUnavailableError(
                f"HTTP {reply.status}: there is no such part", url, "it may not be published yet; fetch again later."
            )
        if reply.status == NOT_SATISFIABLE and reply.headers.get("content-range") != f"bytes */{have}":
            partial.unlink()
            continue
        if reply.status not in {OK, PARTIAL, NOT_SATISFIABLE}:
            start = shown(reply.body[:160].decode(errors="replace"), 120)
            raise SourceChangedError(
                f"HTTP {reply.status}: {start}", url, "nothing was stored; look at the address in a browser."
            )
        partial.replace(path)
        return path
    raise failure or SourceUnavailableError(
        "no whole answer", url, "fetch again later; bytes that were received are not fetched again."
    )


class _Sink:
    """Where the body of a successful response goes, piece by piece."""

    def __init__(self, partial: Path, tag: Path, final: Path, most_bytes: int) -> None:
        self.partial, self.tag, self.final, self.most_bytes = partial, tag, final, most_bytes

    def takes(self, status: int) -> bool:
        """Return whether a body of this status is the part itself."""
        return status in {OK, PARTIAL}

    def write(self, response: Any, pieces: Any) -> None:  # noqa: ANN401  (the client's own types)
        """Write a body to the file; what was received before a break stays.

        Raises:
            SourceChangedError: It is larger than the cap.
            PublishRefusedError: The disk has no room for it.
        """
        have = self.partial.stat().st_size if response.status_code == PARTIAL else 0
        declared = response.headers.get("content-length", "")
        coming = int(declared) if declared.isdecimal() else 0
        if have + coming > self.most_bytes:
            raise self._too_large(have + coming)
        free = shutil.disk_usage(self.partial.parent).free
        if coming and coming + RESERVE > free:
            raise PublishRefusedError(
                f"the part needs {coming:,} bytes and the disk has {free:,} free, of which {RESERVE:,} stay free",
                str(self.partial.parent),
                "free space, or move DATAMOAT_DATA to a larger disk; nothing was downloaded.",
            )
        if validator := response.headers.get("etag") or response.headers.get("last-modified"):
            self.tag.write_text(validator)
        with self.partial.open("ab" if have else "wb") as handle:
            for piece in pieces:
                try:
                    handle.write(piece)
                except OSError as failure:  # of the disk; of the network it is for the client to try again
                    raise cannot_write(self.partial, failure) from failure
                have += len(piece)
                if have > self.most_bytes:
                    raise self._too_large(have)

    def _too_large(self, n_bytes: int) -> SourceChangedError:
        return SourceChangedError(
            f"the part has {n_bytes:,} bytes or more, beyond the cap of {self.most_bytes:,}",
            self.final.name,
            "raise max_gigabytes in source.yml if that is right.",
        )


def _publisher_checksum(client: "Client", url: str, ending: str) -> str:
    """Return the checksum that the publisher gives beside a part, as `sha1:…`."""
    reply = client.get(url + ending)
    match = CHECKSUMS[ending].search(reply.body.decode(errors="replace")) if reply.status == OK else None
    if match is None:
        raise SourceUnavailableError(
            f"there is no checksum beside the part (HTTP {reply.status})",
            url + ending,
            "it may not be published yet; fetch again later.",
        )
    return f"{ending.removeprefix('.')}:{match[0].lower()}"


def add_file(
    settings: Settings,
    source: Source,
    path: str,
    now: datetime,
    *,
    on: date | None = None,
    label: str | None = None,
    licence: str | None = None,
    engine: Engine = "duckdb",
    remote: str | None = None,
) -> list[PartReceipt]:
    """Count files that a person holds; they are read where they lie and never copied. Of a folder, each file is a part.

    Args:
        settings: Where things are.
        source: A streamed source.
        path: A file or a folder; with Spark also an address that its workers read.
        now: When this is.
        on: The day the part is about; taken from the file's name where it has one.
        label: The set the file belongs to.
        licence: The licence of that set.
        engine: Which engine counts.
        remote: The address of a Spark Connect server.

    Raises:
        UsageError: No such file, or something that the source needs to know was not given.
    """
    part = _declared(source)
    given = {"label": label, "licence": licence}
    if missing := [f"--{name}" for name in part.labels if not given[name]]:
        raise UsageError(
            f"{source.id} needs {' and '.join(missing)}",
            str(source.path),
            "give the set that the file belongs to and its licence.",
        )
    request = next(iter(source.fetch.requests))
    local = Path(path)
    whole = engine == "spark" and ("://" in path or local.is_dir())
    paths = (
        [path]
        if whole or not local.is_dir()
        else [str(one) for one in sorted(local.iterdir()) if one.is_file() and not one.name.startswith(".")]
    )
    if not whole and not all(Path(one).is_file() for one in paths):
        raise UsageError("no such file", path, "check the path.")
    receipts = []
    for one in paths:
        name = one.rstrip("/").rsplit("/", 1)[-1]
        if name.endswith(tuple(CHECKSUMS)):
            continue
        checksum = None if "://" in one else _checksum_beside(Path(one))
        day = on or _day_in(name)
        if day is not None and day > now.astimezone(UTC).date():
            raise UsageError(f"{day} is in the future", name, "give the day the part is about, with --on YYYY-MM-DD.")
        if day is None and part.first_on is not None:
            raise UsageError("its name has no day", name, "give the day the part is about, with --on YYYY-MM-DD.")
        file = PartFile(request, one, name, f"file:{name}", day, checksum, label, licence)
        receipts.append(count_part(settings, source, file, now, engine=engine, remote=remote))
    return receipts


def _checksum_beside(path: Path) -> str | None:
    """Return the publisher's checksum where a person put its file beside the part."""
    for ending, pattern in CHECKSUMS.items():
        beside = path.with_name(path.name + ending)
        if beside.is_file():
            match = pattern.search(beside.read_text(errors="replace"))
            if match is None:
                raise UsageError(
                    "the checksum file holds no checksum",
                    beside.name,
                    "fetch it again, or remove it to count the part unchecked.",
                )
            return f"{ending.removeprefix('.')}:{match[0].lower()}"
    return None


def _day_in(name: str) -> date | None:
    match = re.search(r"\d{4}-\d{2}-\d{2}", name)
    try:
        return date.fromisoformat(match[0]) if match else None
    except ValueError:
        return None


def _declared(source: Source) -> Part:
    if source.part is None:
        raise UsageError(f"{source.id} is not a streamed source", str(source.path), f"datamoat fetch {source.id}")
    return source.part
