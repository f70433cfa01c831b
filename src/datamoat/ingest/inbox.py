"""Bring in files that a person saved, through the same door as live responses."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

from datamoat.errors import UsageError
from datamoat.ingest.outcome import FETCH_SECONDS, Clock, FetchReport, Outcome, novelty, now
from datamoat.parsing import shown
from datamoat.project.sources import Source, find_source
from datamoat.settings import Settings
from datamoat.storage.files import one_client
from datamoat.storage.snapshots import Snapshots
from datamoat.storage.store import synchronise

UNFINISHED = {".part", ".tmp", ".crdownload", ".partial", ".filepart"}
DATED = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2})(\d{2})Z)?")


def bring_in(
    settings: Settings,
    source: Source | str,
    request: str,
    pattern: str | Path,
    on: str | date | None = None,
    *,
    clock: Clock = now,
) -> FetchReport:
    """Bring saved responses in through the same door as live ones: bytes and receipt first, validation at landing.

    Args:
        settings: Where things are.
        source: The source or its id.
        request: What the file is a response to.
        pattern: A file, or a path in which `{date}` is the day in one folder or file name; a name that only
            begins with a day counts as that day.
        on: The day of the capture, where the path does not say it.
        clock: What time it is: a capture cannot be of tomorrow.

    Raises:
        UsageError: No file, no day, a day that does not exist or is in the future, or a file beyond the size cap.
    """
    source = find_source(settings.content, source) if isinstance(source, str) else source
    source.request(request)
    files = _dated_files(str(pattern)) if "{date}" in str(pattern) else [(_day(str(on)) if on else None, Path(pattern))]
    with one_client(settings.snapshots / source.id, FETCH_SECONDS):
        synchronise(settings, f"snapshots/{source.id}")
        store = Snapshots(settings.snapshots, source.id)
        outcomes = tuple(_store(store, source, request, moment, path, clock) for moment, path in files)
        synchronise(settings, f"snapshots/{source.id}")
        return FetchReport(source.id, outcomes)


def take_inbox(
    settings: Settings, source: Source, day: str | None = None, *, clock: Clock = now
) -> tuple[FetchReport, list[str]]:
    """Bring in the files of `data/inbox/<source>/<request>/<day>…`; a file that cannot be taken stops no other.

    Files stay where they are, and the same bytes twice are one snapshot, so that a file truncated in its upload is read
    again when it is whole.

    Args:
        settings: Where things are.
        source: The source.
        day: Only files of this day (ISO); None for all.
        clock: What time it is.

    Returns:
        What was brought in, and a sentence for each file that was not.
    """
    outcomes = []
    found, skipped = _finished_files(settings, source, clock)
    with one_client(settings.snapshots / source.id, FETCH_SECONDS):
        synchronise(settings, f"snapshots/{source.id}")
        store = Snapshots(settings.snapshots, source.id)
        for request, path, moment in found:
            if day in (None, moment.date().isoformat()):
                try:
                    outcomes.append(_store(store, source, request, moment, path, clock))
                except UsageError as failure:
                    skipped.append(f"{request}/{path.name}: {failure.what}; {failure.fix}")
        synchronise(settings, f"snapshots/{source.id}")
    return FetchReport(source.id, tuple(outcomes)), skipped


def days_of(settings: Settings, source: Source, *, clock: Clock = now) -> tuple[list[str], list[str]]:
    """Return the days (ISO) of which the inbox has finished files, and a sentence for each file that is not taken."""
    found, skipped = _finished_files(settings, source, clock)
    return sorted({moment.date().isoformat() for _, _, moment in found}), skipped


def _finished_files(settings: Settings, source: Source, clock: Clock) -> tuple[list[tuple[str, Path, datetime]], list[str]]:
    """Return the request, path and day of every whole file in the inbox of a source, and a sentence for each other."""
    found, skipped = [], []
    for request in source.fetch.requests:
        for path in sorted((settings.data / "inbox" / source.id / request).glob("*")):
            try:
                moment = _finished_on(path)
                _refuse_future(moment, path, clock)
                found.append((request, path, moment))
            except UsageError as failure:
                skipped.append(f"{request}/{path.name}: {failure.what}; {failure.fix}")
    return found, skipped


def _finished_on(path: Path) -> datetime:
    """Return the day that a file of the inbox is named after, if it is a whole file."""
    if path.is_symlink():
        raise UsageError("a link, which is not followed", path.name, "put the file itself here.")
    if path.suffix.lower() in UNFINISHED or path.name.startswith("."):
        raise UsageError("an unfinished upload", path.name, "it is read when it has its own name.")
    return _day(path.name)


def _refuse_future(moment: datetime, path: Path, clock: Clock) -> None:
    if moment.date() > clock().date():
        raise UsageError(f"{moment.date()} is in the future", path.name, "give the day the response was received.")


def _store(store: Snapshots, source: Source, request: str, moment: datetime | None, path: Path, clock: Clock) -> Outcome:
    """Store one file as received."""
    if moment is None:
        raise UsageError("a saved response needs its day", path.name, "add --on YYYY-MM-DD, or put {date} into the path.")
    _refuse_future(moment, path, clock)
    if not path.is_file():
        raise UsageError("no such file", str(path), "check the path; --from takes a file, or a path with {date} in it.")
    if path.stat().st_size > source.fetch.max_megabytes * 1_000_000:
        raise UsageError(
            f"{path.stat().st_size:,} bytes, more than the source's cap of {source.fetch.max_megabytes:g} MB",
            path.name,
            f"raise max_megabytes in {source.path.name} if that is right.",
        )
    before = {receipt.snapshot_id for receipt in store.of(request)}
    receipt = store.store(
        request,
        path.read_bytes(),
        retrieved_at=moment,
        url=f"file:{path.name}",
        route="archive",
        extension=path.suffix.lstrip(".").lower() or "bin",
    )
    is_new = receipt.snapshot_id not in before
    detail = f"{receipt.captured_on}  {receipt.n_bytes:,} bytes"
    return Outcome(request, novelty(receipt, is_new=is_new), detail, receipt.snapshot_id, is_new)


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
        raise UsageError("no file fits", pattern, "{date} means YYYY-MM-DD in one folder or file name.")
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
