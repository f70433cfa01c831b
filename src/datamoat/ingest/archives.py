"""Read a large part in bounded memory: a CSV, a ZIP of CSVs, a ZIP of ZIPs of CSVs, as batches of text columns.

Nothing is unpacked to disk. A CSV member is read as RFC 4180 first; where that fails, the member is read once more with
a backslash as an escape. What is still malformed is counted and left out.
"""

import codecs
import csv as text_csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import pyarrow as pa
from pyarrow import csv

from datamoat.errors import SourceChangedError
from datamoat.ingest.part_rows import RowCheck
from datamoat.parsing import shown
from datamoat.project.part import Part

BLOCK = 4 * 2**20  # bytes of CSV parsed at a time
MOST_RATIO = 200  # unpacked bytes for one packed byte, on either level; the publisher's parts have 20
MOST_DEPTH = 2  # a ZIP of ZIPs
MOST_MEMBERS = 100_000
WHOLE = 512 * 2**20  # a larger CSV is read once, in the strict form only
HEADER = 30  # bytes of a local header before the name
ZIP, PARQUET = b"PK\x03\x04", b"PAR1"


@dataclass
class Tally:
    """What became of the rows of one part.

    Attributes:
        n_listed: Rows found, the rejected ones included.
        n_rejected: Rows that could not be read, or that the declarations of the source reject.
        first_bad: The member, the line and what was wrong with the first of them.
        n_escaped: CSV members that were read with a backslash as an escape.
        header: The header of the first CSV.
        failure: What stopped the reading; an engine that pulls the rows hides it in an error of its own.
    """

    n_listed: int = 0
    n_rejected: int = 0
    first_bad: str | None = None
    n_escaped: int = 0
    header: list[str] = field(default_factory=list)
    failure: SourceChangedError | None = None

    def reject(self, n: int, where: str) -> None:
        """Count rows that are left out."""
        self.n_listed += n
        self.n_rejected += n
        self.first_bad = self.first_bad or where


class Window(io.RawIOBase):
    """A stretch of an open file as a file of its own: a stored member of a ZIP, read where it lies."""

    def __init__(self, handle: IO[bytes], start: int, size: int) -> None:
        """Begin at `start`; nothing is read yet."""
        self.handle, self.start, self.size, self.place = handle, start, size, 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return the place in the window."""
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the window."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        self.place = min(max(base + offset, 0), self.size)
        return self.place

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (any writable buffer)
        """Fill a buffer with the next bytes."""
        self.handle.seek(self.start + self.place)
        piece = self.handle.read(min(len(buffer), self.size - self.place))
        buffer[: len(piece)] = piece
        self.place += len(piece)
        return len(piece)


def format_of(path: Path) -> str:
    """Return `parquet`, `zip` or `csv`, from the first bytes.

    Raises:
        SourceChangedError: The file is empty.
    """
    with path.open("rb") as handle:
        start = handle.read(4)
    if not start:
        raise _changed(path, "the file is empty")
    return "parquet" if start == PARQUET else "zip" if start == ZIP else "csv"


def batches_of(path: Path, part: Part, tally: Tally, part_on: date | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a ZIP or CSV part, the declared columns as text, while `tally` counts.

    Args:
        path: The part.
        part: What the source declares of it.
        tally: Is filled as rows are read; whole once the iterator is exhausted.
        part_on: The day the part is about.

    Raises:
        SourceChangedError: The part is cut, damaged, a bomb, names a member outside itself or has another header.
    """
    check = RowCheck(part, part_on)
    try:
        with path.open("rb") as handle:
            if format_of(path) == "csv":
                yield from _csv(path, path.name, path.stat().st_size, lambda: path.open("rb"), part, tally, check)
            else:
                yield from _members(path, handle, path.stat().st_size, "", 1, part, tally, check)
        if not tally.header:
            raise _changed(path, "it holds no CSV")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as failure:
        tally.failure = _changed(path, f"the archive is damaged or truncated: {shown(failure, 120)}")
        raise tally.failure from failure
    except SourceChangedError as failure:
        tally.failure = failure
        raise


def _members(
    path: Path, handle: IO[bytes], n_bytes: int, within: str, depth: int, part: Part, tally: Tally, check: RowCheck
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of every CSV of a ZIP, in the order of its directory."""
    with zipfile.ZipFile(handle) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        declared = sum(member.file_size for member in members)
        if len(members) > MOST_MEMBERS or declared > MOST_RATIO * n_bytes:
            raise _changed(path, f"{within or path.name} declares {len(members):,} members of {declared:,} bytes: a bomb")
        for member in members:
            name = PurePosixPath(member.filename)
            if name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in member.filename:
                raise _changed(path, f"a member is called {shown(member.filename)}: it leads outside the archive")
            place = f"{within}{member.filename}"
            if name.suffix.lower() == ".csv":
                yield from _csv(path, place, member.file_size, lambda m=member: archive.open(m), part, tally, check)
            elif name.suffix.lower() == ".zip" and depth < MOST_DEPTH:
                with _inner(handle, archive, member) as inner:
                    yield from _members(path, inner, member.compress_size, f"{place}/", depth + 1, part, tally, check)
            else:
                raise _changed(path, f"a member is called {shown(place)}: neither a CSV nor a ZIP of CSVs")


@contextmanager
def _inner(handle: IO[bytes], archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Open a ZIP inside a ZIP: where it lies if it is stored, else through the reader of the outer one."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        with archive.open(member) as inner:
            yield inner
        return
    handle.seek(member.header_offset)
    header = handle.read(HEADER)
    if len(header) < HEADER or header[:4] != ZIP:
        message = f"{member.filename} has no local header"
        raise zipfile.BadZipFile(message)
    start = member.header_offset + HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    yield cast("IO[bytes]", io.BufferedReader(Window(handle, start, member.file_size), 2**20))


def _csv(
    path: Path,
    name: str,
    n_bytes: int,
    reopen: Any,  # noqa: ANN401
    part: Part,
    tally: Tally,
    check: RowCheck,
) -> Iterator[pa.RecordBatch]:
    """Yield one CSV; on malformed rows, read it again with a backslash as an escape and take the better reading."""
    _check_header(path, name, reopen, part)
    strict: list[tuple[int, str]] = []
    if n_bytes > WHOLE:
        for batch in _read(path, reopen, part, tally, strict, escape=False):
            yield from _sound(batch, check, tally, name)
    else:
        failure: SourceChangedError | None = None
        found: list[pa.RecordBatch] = []
        try:
            found = list(_read(path, reopen, part, tally, strict, escape=False))
        except SourceChangedError as refused:
            failure = refused
        if strict or failure is not None:
            escaped: list[tuple[int, str]] = []
            try:
                again = list(_read(path, reopen, part, tally, escaped, escape=True))
            except SourceChangedError:
                if failure is not None:
                    raise failure from None
            else:
                if failure is not None or len(escaped) < len(strict):
                    found, strict = again, escaped
                    tally.n_escaped += 1
        for batch in found:
            yield from _sound(batch, check, tally, name)
    for line, why in strict:
        tally.reject(1, f"{name}, row {line}: {why}" if line else f"{name}: {why}")


def _read(
    path: Path,
    reopen: Any,  # noqa: ANN401
    part: Part,
    tally: Tally,
    bad: list[tuple[int, str]],
    *,
    escape: bool,
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of one CSV; what has the wrong number of columns goes to `bad`."""

    def skip(row: csv.InvalidRow) -> str:
        bad.append((row.number or 0, f"{row.actual_columns} columns instead of {row.expected_columns}"))
        return "skip"

    with reopen() as handle:
        try:
            reader = csv.open_csv(
                handle,
                read_options=csv.ReadOptions(block_size=BLOCK, use_threads=False),
                parse_options=csv.ParseOptions(
                    newlines_in_values=True, escape_char="\\" if escape else False, invalid_row_handler=skip
                ),
                convert_options=csv.ConvertOptions(
                    include_columns=list(part.columns),
                    column_types=dict.fromkeys(part.columns, pa.string()),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    null_values=[""],
                ),
            )
            if not tally.header:
                tally.header = list(part.columns)
            for batch in reader:
                if batch.num_rows:
                    yield batch
        except (pa.ArrowInvalid, pa.ArrowKeyError) as failure:
            raise _changed(path, f"not the CSV that is declared: {shown(failure, 200)}") from failure


def _sound(batch: pa.RecordBatch, check: RowCheck, tally: Tally, name: str) -> Iterator[pa.RecordBatch]:
    """Yield the sound rows of a batch; count the others."""
    kept, why = check.sound(batch)
    if why is not None:
        tally.reject(batch.num_rows - kept.num_rows, f"{name}: {shown(why, 160)}")
    tally.n_listed += kept.num_rows
    if kept.num_rows:
        yield kept


def _check_header(path: Path, name: str, reopen: Any, part: Part) -> None:  # noqa: ANN401
    """Compare the header of a CSV, as it is in the file, with the declared columns.

    Raises:
        SourceChangedError: It is another, or the text is UTF-16.
    """
    with reopen() as handle:
        start = handle.readline(64 * 1024)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _changed(path, f"{name} is UTF-16, as a spreadsheet saves it; a part is read as UTF-8")
    if not part.is_exact:
        return
    line = start.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    try:
        found = next(text_csv.reader([line]), [])
    except text_csv.Error as failure:  # as with lines that end in CR alone
        raise _changed(path, f"the header of {name} cannot be read: {shown(failure, 120)}") from failure
    if found != list(part.columns):
        raise _changed(
            path, f"the header is {shown(', '.join(found), 300)}, in {name}; expected exactly {', '.join(part.columns)}"
        )


def _changed(path: Path, what: str) -> SourceChangedError:
    return SourceChangedError(
        what, path.name, "nothing was counted; compare the file with the publisher's, then fetch or add it again."
    )
