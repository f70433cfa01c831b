"""Read a whole body: JSON, CSV or ZIP, with every sign of a wrong or cut body refused."""

import csv
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
from datamoat.parsing.response import Answer, changed

MARKUP: Final = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<script", b"<svg", b"<rss", b"<feed", b"<!--")


def refuse_markup(body: bytes) -> None:
    """Refuse a page that is sold as data.

    Raises:
        SourceChangedError: The body is empty or begins like HTML or XML.
    """
    start = body[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        raise changed("the body is empty (0 bytes that count)", "ask again; if it stays so, look at the publisher's page.")
    if start.startswith(MARKUP):
        raise changed(
            "the answer is an HTML or XML page where data was expected: a login, consent, challenge or error page",
            "open the address in a browser; the page says what the publisher now wants.",
        )


def load_json(answer: Answer) -> Any:  # noqa: ANN401  (whatever the publisher sent)
    """Return the JSON of an answer; numbers that are not numbers become missing, with a note.

    Any UTF encoding is read, with or without a byte order mark. Whole numbers keep every digit.

    Raises:
        SourceChangedError: Not JSON, cut short, a key given twice, nested beyond reason, or an absurd number.
    """
    refuse_markup(answer.body)

    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(entries)
        if len(made) != len(entries):
            twice = [key for key, times in Counter(key for key, _ in entries).items() if times > 1]
            raise changed(f"key {shown(twice[0])} is given twice in one object; which one counts is anybody's guess")
        return made

    def constant(name: str) -> None:
        answer.note(f"{name} read as missing")

    try:
        text = answer.body.decode(json.detect_encoding(answer.body))
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=pairs, parse_constant=constant)
    except UnicodeDecodeError as failure:
        raise changed(f"not text: {failure.reason} at byte {failure.start:,}") from failure
    except json.JSONDecodeError as failure:
        raise changed(
            f"not JSON, or cut short: {failure.msg} at character {failure.pos:,} of {len(answer.body):,} bytes",
            "ask again; a cut answer is never read in part.",
        ) from failure
    except RecursionError as failure:
        raise changed("JSON nested beyond any honest depth") from failure
    except ValueError as failure:  # int() refuses numbers of more than 4,300 digits
        raise changed(f"a number beyond reason: {str(failure)[:80]}") from failure


def load_csv(answer: Answer, *, delimiter: str = ",") -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a CSV in UTF-8, quoted line breaks included.

    Raises:
        SourceChangedError: Not UTF-8 text, no header, a header given twice, or a row of another width.
    """
    refuse_markup(answer.body)
    if answer.body.lstrip()[:1] in (b"{", b"["):
        raise changed("the answer is JSON where CSV was expected: " + answer.body[:80].decode(errors="replace"))
    if answer.body.count(b'"') % 2:
        raise changed(
            "the answer is cut short: a quoted cell is still open at the end", "ask again; a cut answer is never read in part."
        )
    if b"\0" in answer.body:
        raise changed("a NUL byte in what should be text")
    seen: dict[str, str] = {}  # tables repeat themselves: one object for equal cells
    try:
        with io.TextIOWrapper(io.BytesIO(answer.body), encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, delimiter=delimiter, strict=True)
            rows = [[seen.setdefault(cell, cell) for cell in row] for row in lines if any(row)]
    except UnicodeDecodeError as failure:
        raise changed(f"not UTF-8: {failure.reason}") from failure
    except csv.Error as failure:
        raise changed(f"not a CSV: {failure}") from failure
    if not rows:
        raise changed("no header")
    header = [cell.strip() for cell in rows.pop(0)]
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise changed(f"header {shown(twice[0])} is given twice")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise changed(f"record {number} has {len(row)} cells and the header {len(header)}: cut short, or a stray quote")
    return header, rows


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
        raise changed(f"not a zip, or cut short: {type(failure).__name__}") from failure
