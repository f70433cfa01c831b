"""Read a whole body: JSON, CSV or ZIP, with every sign of a wrong or cut body refused."""

import csv
import gzip
import io
import json
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from datamoat.parsing.display import shown
from datamoat.parsing.response import Response, changed

GZIP: Final = b"\x1f\x8b"
WIDE: Final = {  # byte order marks of text that is not UTF-8; the longer first, since one begins with the other
    b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
}  # fmt: skip
WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
DELIMITERS: Final = ",;\t"
MARKUP: Final = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<script", b"<svg", b"<rss", b"<feed", b"<!--")


def refuse_markup(body: bytes) -> None:
    """Refuse a page that is sold as data.

    Raises:
        SourceChangedError: The body is empty or begins like HTML or XML.
    """
    start = body[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        raise changed("the body is empty (0 bytes that count)", "fetch again; if it stays so, look at the publisher's page.")
    if start.startswith(MARKUP):
        raise changed(
            "the response is an HTML or XML page where data was expected: a login, consent, challenge or error page",
            "open the address in a browser; the page shows what the publisher now wants.",
        )


def unwrap(body: bytes, most_bytes: int) -> tuple[bytes, list[str]]:
    """Return a body without the gzip or the wide encoding it was saved in, and a note for each.

    Args:
        body: One page as received.
        most_bytes: Cap on its size once unpacked.

    Raises:
        SourceChangedError: gzip that is truncated, damaged or beyond the cap, or text that its byte order mark belies.
    """
    notes: list[str] = []
    if body.startswith(GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
                body = stream.read(most_bytes + 1)
        except (OSError, EOFError, zlib.error, struct.error) as failure:
            raise changed(f"gzip, truncated or damaged: {type(failure).__name__}", "fetch again.") from failure
        if len(body) > most_bytes:
            raise changed(f"gzip that unpacks to more than {most_bytes:,} bytes")
        notes.append("gzip that no header announced: unpacked")
    encoding = next((name for mark, name in WIDE.items() if body.startswith(mark)), None)
    if encoding is not None:
        try:
            body = body.decode(encoding).encode()
        except UnicodeDecodeError as failure:
            raise changed(f"not {encoding.upper()}, though it begins so: {failure.reason}", "save it as UTF-8.") from failure
        notes.append(f"{encoding.upper()} read as text")
    return body, notes


def load_json(response: Response) -> Any:  # noqa: ANN401  (whatever the publisher sent)
    """Return the JSON of an answer; numbers that are not numbers become missing, with a note.

    Any UTF encoding is read, with or without a byte order mark. Whole numbers keep every digit.

    Raises:
        SourceChangedError: Not JSON, truncated, a key given twice, nested beyond reason, or an absurd number.
    """
    refuse_markup(response.body)

    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(entries)
        if len(made) != len(entries):
            twice = [key for key, times in Counter(key for key, _ in entries).items() if times > 1]
            raise changed(f"key {shown(twice[0])} is given twice in one object; which one counts is anybody's guess")
        return made

    def constant(name: str) -> None:
        response.note(f"{name} read as missing")

    try:
        text = response.body.decode(json.detect_encoding(response.body))
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=pairs, parse_constant=constant)
    except UnicodeDecodeError as failure:
        raise changed(f"not text: {failure.reason} at byte {failure.start:,}") from failure
    except json.JSONDecodeError as failure:
        if failure.pos == 0:
            raise changed(f"text in place of JSON: {shown(text, 160)}", "do what it asks for, then fetch again.") from failure
        raise changed(
            f"not JSON, or truncated: {failure.msg} at character {failure.pos:,} of {len(response.body):,} bytes",
            "fetch again; a truncated response is never read in part.",
        ) from failure
    except RecursionError as failure:
        raise changed("JSON nested too deep to be data") from failure
    except ValueError as failure:  # int() refuses numbers of more than 4,300 digits
        raise changed(f"a number beyond reason: {str(failure)[:80]}") from failure


def load_csv(response: Response) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a CSV in UTF-8, quoted line breaks included.

    Cells may be separated by commas, semicolons or tabs; a first line `sep=;` is read as spreadsheets write it. Columns
    without a name and without a value are dropped, with a note.

    Raises:
        SourceChangedError: Not UTF-8 text, a workbook, no header, a header given twice, values under no header, or a row of
            another width.
    """
    _refuse_other_formats(response.body)
    seen: dict[str, str] = {}  # tables repeat themselves: one object for equal cells
    try:
        with io.TextIOWrapper(io.BytesIO(response.body), encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            declared = re.fullmatch(r'"?sep=(.)"?[;,\t]*', first.strip("\r\n"), re.IGNORECASE)
            delimiter = declared[1] if declared else max(DELIMITERS, key=first.count)
            if declared is None:
                stream.seek(0)
            if delimiter != ",":
                response.note(f"cells are separated by {shown(delimiter)}")
            lines = csv.reader(stream, delimiter=delimiter, strict=True)
            rows = [[seen.setdefault(cell, cell) for cell in row] for row in lines if any(row)]
    except UnicodeDecodeError as failure:
        raise changed(f"not UTF-8: {failure.reason}", "save it as CSV in UTF-8.") from failure
    except csv.Error as failure:
        raise changed(f"not a CSV: {failure}") from failure
    if not rows:
        raise changed("no header")
    header = [cell.strip() for cell in rows.pop(0)]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise changed(f"record {number} has {len(row)} cells and the header {len(header)}: truncated, or a stray quote")
    header, rows = _without_nameless_columns(response, header, rows)
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise changed(f"header {shown(twice[0])} is given twice")
    return header, rows


def _refuse_other_formats(body: bytes) -> None:
    """Refuse what is not the text of a CSV, by the name of what it is."""
    if body.startswith(WORKBOOKS):
        raise changed("a workbook or a zip, whatever its name is, where CSV was expected", "save the sheet as CSV in UTF-8.")
    refuse_markup(body)
    if body.lstrip()[:1] in (b"{", b"["):
        raise changed("the response is JSON where CSV was expected: " + body[:80].decode(errors="replace"))
    if body.count(b'"') % 2:
        raise changed(
            "the response is truncated: a quoted cell is still open at the end",
            "fetch again; a truncated response is never read in part.",
        )
    if b"\0" in body:
        raise changed("a NUL byte in what should be text")


def _without_nameless_columns(response: Response, header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Drop columns that have neither a name nor a value; refuse values under no name."""
    if "" not in header:
        return header, rows
    named = [place for place, name in enumerate(header) if name]
    for place, name in enumerate(header):
        if not name and any(row[place].strip() for row in rows):
            raise changed(f"column {place + 1} has values and no name", "give it a name, or empty it.")
    response.note(f"{len(header) - len(named)} columns without a name or a value are dropped")
    return [header[place] for place in named], [[row[place] for place in named] for row in rows]


def header_of(header: Sequence[str], aliases: Sequence[str], *, optional: bool = False) -> str | None:
    """Return the one header that is among `aliases`, the first that is there.

    Raises:
        SourceChangedError: None is there and the column is not optional.
    """
    for alias in aliases:
        if alias in header:
            return alias
    if optional:
        return None
    raise changed(
        f"no column {' or '.join(shown(alias) for alias in aliases)}; the header is {', '.join(header)[:300]}",
        "if a column was renamed, add its new name to the aliases in parse.py.",
    )


def open_zip(body: bytes, *, most_members: int = 200, most_bytes: int = 400_000_000) -> dict[str, bytes]:
    """Return the files of a zip by name, unpacked in memory and counted; nothing is written anywhere.

    Raises:
        SourceChangedError: Damaged, encrypted, too many or too large members, overlapping ones, a name twice (also but
            for its case), a link, or a name that leads outside.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
            if len(members) > most_members:
                raise changed(f"a zip of {len(members):,} members; {most_members} are the most this source ever had")
            names = Counter(member.filename.casefold() for member in members)
            if any(times > 1 for times in names.values()):
                raise changed("a zip with one name twice")
            starts = sorted((member.header_offset, member.compress_size) for member in members)
            if any(first + size > second for (first, size), (second, _) in pairwise(starts)):
                raise changed("a zip whose members overlap")
            found: dict[str, bytes] = {}
            left = most_bytes
            for member in members:
                name = member.filename
                if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name or not name.isprintable():
                    raise changed(f"a zip with the name {shown(name)}, which leads outside")
                if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise changed(f"a zip with a link or a device: {shown(name)}")
                if member.flag_bits & 1:
                    raise changed("a zip with a password")
                if member.is_dir():
                    continue
                with archive.open(member) as stream:
                    data = stream.read(left + 1)
                if len(data) > left:
                    raise changed(f"a zip that unpacks to more than {most_bytes:,} bytes")
                left -= len(data)
                found[name] = data
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, struct.error, ValueError) as failure:
        raise changed(f"not a zip, or truncated: {type(failure).__name__}") from failure
