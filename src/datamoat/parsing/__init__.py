"""Read what a publisher sent without believing it: every field accounted for, every number by a written grammar."""

import contextlib
import csv
import io
import json
import math
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from datamoat.errors import SourceChangedError

Row = dict[str, Any]

DOUBT: Final = "doubt: "  # begins a remark that quarantines
MISSING: Final = frozenset(
    {"", "-", "--", "–", "—", "null", "none", "nan", "n/a", "na", "n.a.", "inf", "-inf", "infinity", "-infinity", "undefined"}
)
MARKUP: Final = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<script", b"<svg", b"<rss", b"<feed", b"<!--")
ERROR_KEYS: Final = ("error", "errors", "message", "detail", "error_description")
GROUPED: Final = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(,)\d{3}(?:,\d{3})*|( )\d{3}(?: \d{3})*|(')\d{3}(?:'\d{3})*|(\.)\d{3}(?:\.\d{3})+)"
)
PLAIN: Final = re.compile(r"([+-]?\d{1,30})(?:[.,](\d{1,30}))?")
UNITS: Final = {
    "": 1, "k": 10**3, "thousand": 10**3, "千": 10**3, "万": 10**4, "萬": 10**4, "m": 10**6, "mn": 10**6, "million": 10**6,
    "b": 10**9, "bn": 10**9, "billion": 10**9, "亿": 10**8, "億": 10**8, "百万": 10**6, "千万": 10**7,
}  # fmt: skip
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ZERO_WIDTH: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")
BIDIRECTIONAL: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def changed(
    what: str, fix: str = "look at the stored answer; if the publisher changed its format, extend parse.py."
) -> SourceChangedError:
    """Return the error for an answer we do not understand; the landing adds which one."""
    return SourceChangedError(what, "the answer", fix)


@dataclass
class Answer:
    """One answer of a publisher, and what is worth saying about it.

    Attributes:
        body: The bytes as received (one page of them, where there are several).
        request: What was asked.
        captured_on: The day it was received.
        notes: Remarks that travel with the landing, each with how often it applied.
    """

    body: bytes
    request: str = ""
    captured_on: date = date(1970, 1, 1)
    notes: Counter[str] = field(default_factory=Counter)

    def note(self, text: str) -> None:
        """Remember a remark; saying it again only counts."""
        self.notes[text] += 1

    def doubt(self, text: str) -> None:
        """Remember why the answer is not to be believed though it can be read; the landing quarantines it."""
        self.notes[DOUBT + text] += 1

    def expect(self, stated: object, listed: int) -> None:
        """Compare how many entries an answer says it has with how many it lists."""
        if isinstance(stated, int) and stated != listed:
            self.doubt(f"the answer says that it has {stated} entries, and lists {listed}")


# The body as a whole ---------------------------------------------------------------------------------------------


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


# Objects, field by field -------------------------------------------------------------------------------------------


def mapping(value: Any, what: str) -> dict[str, Any]:  # noqa: ANN401
    """Return `value` if it is an object.

    Raises:
        SourceChangedError: It is something else.
    """
    if not isinstance(value, dict):
        raise changed(f"{what} is {kind(value)}, not an object")
    return value


def refuse_error(page: Mapping[str, Any], holds: Iterable[str]) -> None:
    """Refuse an error message that was served, or stored, in place of data.

    Raises:
        SourceChangedError: None of the keys in `holds` is there, and one that errors use is.
    """
    if any(key in page for key in holds):
        return
    for key in ERROR_KEYS:
        if page.get(key):
            said = page[key] if isinstance(page[key], str) else json.dumps(page[key], ensure_ascii=True)
            raise changed(
                f"an error message in place of data: {shown(said)}",
                "do what the message says (a key, a quota), then fetch again.",
            )


def list_at(page: dict[str, Any], key: str) -> list[Any]:
    """Take the list at `key` out of an object.

    Raises:
        SourceChangedError: The key is gone (told apart from an empty list), or holds something else.
    """
    if key not in page:
        near = [name for name, value in page.items() if isinstance(value, list)]
        hint = f"; a list is now under {', '.join(shown(name) for name in near)}" if near else ""
        raise changed(f"key {shown(key)} is not there (renamed or dropped); the answer has {_keys(page)}{hint}")
    value = page.pop(key)
    if not isinstance(value, list):
        raise changed(f"{shown(key)} is {kind(value)}, not a list")
    return value


def take(entry: dict[str, Any], key: str) -> Any:  # noqa: ANN401
    """Take the value at `key` out of an object; the key must be there, whatever it holds.

    Raises:
        SourceChangedError: The key is not there.
    """
    if key not in entry:
        raise changed(f"an entry has no {shown(key)} (renamed or dropped); it has {_keys(entry)}")
    return entry.pop(key)


def text(entry: dict[str, Any], key: str, *, optional: bool = False) -> str | None:
    """Take a text out of an object, verbatim; null and blank are missing.

    Raises:
        SourceChangedError: Not there, not text, or missing where it may not be.
    """
    value = entry.pop(key, None) if optional else take(entry, key)
    if value is not None and not isinstance(value, str):
        raise changed(f"{shown(key)} is {kind(value)} {shown(value)}, not text: its type changed")
    if value is None or not value.strip():
        if optional:
            return None
        raise changed(f"{shown(key)} is blank where every entry must have one")
    return value


def number(
    answer: Answer, entry: dict[str, Any], key: str, *, optional: bool = False, negative: bool = False
) -> float | int | None:
    """Take a number out of an object; the ways of writing "none" become missing, with a note.

    -1 counts as one of those ways unless `negative`; other negative values are refused then.

    Raises:
        SourceChangedError: Not there, or its type changed to something that is no number.
    """
    value = entry.pop(key, None) if optional else take(entry, key)
    if value is None:
        return None
    if isinstance(value, str):
        if value.strip().lower() in MISSING:
            answer.note(f"{key}: {shown(value)} read as missing")
            return None
        raise changed(f"{shown(key)} is text {shown(value)}, not a number: its type changed")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise changed(f"{shown(key)} is {kind(value)}, not a number: its type changed")
    if not math.isfinite(value):
        answer.note(f"{key}: {value} read as missing")
        return None
    if not negative and value == -1:
        answer.note(f"{key}: -1 read as missing")
        return None
    if not negative and value < 0:
        raise changed(f"{shown(key)} is {value}, which cannot be negative")
    return value


def whole(answer: Answer, entry: dict[str, Any], key: str, *, optional: bool = False) -> int | None:
    """Take a whole number, zero or more; a value such as 12.0 counts as whole.

    Raises:
        SourceChangedError: Not there, not a number, or with a fraction.
    """
    value = number(answer, entry, key, optional=optional)
    if value is None:
        return None
    if value != int(value):
        raise changed(f"{shown(key)} is {value}, not a whole number")
    return int(value)


def drop_sentinels(answer: Answer, rows: list[Row], column: str) -> list[Row]:
    """Return rows in which -1 among ratings that are all positive is missing; on a scale around zero it is a rating."""
    if all(row[column] is None or row[column] == -1 or row[column] > 0 for row in rows):
        for row in rows:
            if row[column] == -1:
                row[column] = None
                answer.note(f"{column}: -1 read as missing")
    return rows


def flag(entry: dict[str, Any], key: str, *, optional: bool = False) -> bool | None:
    """Take a true or false.

    Raises:
        SourceChangedError: Not there, or something else.
    """
    value = entry.pop(key, None) if optional else take(entry, key)
    if value is None and optional:
        return None
    if not isinstance(value, bool):
        raise changed(f"{shown(key)} is {kind(value)} {shown(value)}, not true or false: its type changed")
    return value


def exhaust(answer: Answer, entry: Mapping[str, Any], *, ignore: Iterable[str] = (), what: str = "field") -> None:
    """Say which fields were left over; `ignore` is the written record of what we leave aside.

    A field that was added takes nothing away, so it is a note and the data are served; one that was renamed or
    dropped has already stopped the reading at `take`.
    """
    for key in entry.keys() - set(ignore):
        answer.note(f"{what} {shown(key)} is new: not read, the rest is served")


# Numbers in text ---------------------------------------------------------------------------------------------------


def parse_number(written: str) -> Decimal | None:
    """Return a number as written with a decimal point, exactly; None for the ways of writing "none".

    >>> parse_number("0.005"), parse_number("N/A")
    (Decimal('0.005'), None)

    Raises:
        SourceChangedError: Anything else, a percent sign or a thousands separator included.
    """
    plain = _tidy(written)
    if plain.lower() in MISSING:
        return None
    match = PLAIN.fullmatch(plain)
    if not match or "," in plain:
        raise changed(f"{shown(written)} is not a number as this source writes them")
    return Decimal(plain)


def parse_count(written: str) -> int | None:
    """Return a count exactly; None for the ways of writing "none".

    Reads thousands separators, full-width digits, `5k`, `3.2 million`, `1.2万`, `3.4億`. What could mean two things
    (`1.234`, `0,009`, `1,234万`) is refused: a wrong reading would be off by a thousand.

    >>> parse_count("178,300,000"), parse_count("1.2万"), parse_count("-")
    (178300000, 12000, None)

    Raises:
        SourceChangedError: Not a count, or one that can be read in two ways.
    """
    plain = _tidy(written)
    if plain.lower() in MISSING or plain == "-1":
        return None
    match = re.fullmatch(r"([+-]?\d[\d.,' ]{0,60}?) ?(\D{0,10})", plain)
    unit = UNITS.get(match[2].strip().lower()) if match else None
    if not match or unit is None:
        raise changed(f"{shown(written)} is not a count")
    digits = match[1].strip()
    if GROUPED.fullmatch(digits):
        if unit != 1:
            raise changed(f"{shown(written)} can be read in two ways: a separator or a decimal mark")
        value = Decimal(re.sub(r"[,' .]", "", digits))
    else:
        plainly = PLAIN.fullmatch(digits)
        if not plainly:
            raise changed(f"{shown(written)} is not a count")
        if plainly[2] and unit == 1:
            raise changed(f"{shown(written)} is not a whole number, or it can be read in two ways")
        value = Decimal(f"{plainly[1]}.{plainly[2] or 0}") * unit
    if value != int(value) or value < 0:
        raise changed(f"{shown(written)} is not a count: a fraction or below zero")
    return int(value)


def parse_interval(written: Any) -> tuple[float, float] | None:  # noqa: ANN401
    """Return the two half-widths of an interval: how far down and how far up, both zero or more.

    >>> parse_interval("-10/+12"), parse_interval(9), parse_interval("±7")
    ((10.0, 12.0), (9.0, 9.0), (7.0, 7.0))

    Raises:
        SourceChangedError: Written in a way not seen before.
    """
    if written is None or isinstance(written, bool):
        return None
    if isinstance(written, int | float):
        if not math.isfinite(written) or written < 0:
            return None
        return float(written), float(written)
    plain = _tidy(str(written)).replace("\u2212", "-")
    if plain.lower() in MISSING:
        return None
    both = re.fullmatch(r"-?(\d{1,6}(?:\.\d{1,6})?) ?/ ?\+?(\d{1,6}(?:\.\d{1,6})?)", plain)
    if both:
        return float(both[1]), float(both[2])
    one = re.fullmatch(r"(?:±|\+/-) ?(\d{1,6}(?:\.\d{1,6})?)|(\d{1,6}(?:\.\d{1,6})?)", plain)
    if one:
        width = float(one[1] or one[2])
        return width, width
    raise changed(f"interval {shown(written)} is written in a way not seen before")


def parse_date(written: str) -> date | None:
    """Return a whole ISO date, the date part of an ISO timestamp included; None for "none" or a partial date.

    Raises:
        SourceChangedError: Text that is no date.
    """
    plain = written.strip()
    if plain.lower() in MISSING or re.fullmatch(r"\d{4}(-\d{2})?", plain):
        return None
    try:
        return date.fromisoformat(plain[:10])
    except ValueError as failure:
        raise changed(f"{shown(written)} is not a date as this source writes them") from failure


def stated_day(answer: Answer, written: str | None) -> str | None:
    """Return a day, month or year as ISO text (`2025-04-07`, `2025-04`, `2025`), also from `Apr 2025`; else a note.

    >>> stated_day(Answer(b""), "Apr 2025"), stated_day(Answer(b""), "2025-04")
    ('2025-04', '2025-04')
    """
    plain = _tidy(written or "")
    if plain.lower() in MISSING:
        return None
    if re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2]))?", plain):
        return plain
    named = re.fullmatch(r"([A-Za-z]{3})[a-z]{0,6}\.? (\d{4})", plain)
    if named and named[1].lower() in MONTHS:
        return f"{named[2]}-{MONTHS.index(named[1].lower()) + 1:02d}"
    if re.match(r"\d{4}-\d{2}-\d{2}(?:[T ]|$)", plain):
        with contextlib.suppress(ValueError):  # a day that does not exist, such as 31 February
            return date.fromisoformat(plain[:10]).isoformat()
    answer.note(f"date {shown(plain, 30)} is written in a way not seen before, and left out")
    return None


# Text in messages --------------------------------------------------------------------------------------------------


def shown(value: object, most: int = 60) -> str:
    """Return any value as short, quoted, escaped text: nothing in it can move the cursor or start a new line."""
    made = value if isinstance(value, str) else str(value)
    cut = made if len(made) <= most else made[:most] + "…"
    return (
        "'"
        + "".join(
            c if c.isprintable() and c not in BIDIRECTIONAL else c.encode("unicode_escape", "backslashreplace").decode()
            for c in cut
        )
        + "'"
    )


def storable(value: str) -> str:
    """Return text that can be stored as UTF-8: verbatim, but for a lone surrogate, which is written out by its number."""
    if value.isascii():
        return value
    stored = value.encode("utf-8", "backslashreplace").decode()
    return value if stored == value else stored


def oddities(value: str) -> list[str]:
    """Say what in a name could mislead a reader's eye: it is stored as it is, and flagged."""
    found = []
    if any(c in BIDIRECTIONAL for c in value):
        found.append("bidirectional control characters")
    if any(c in ZERO_WIDTH for c in value):
        found.append("invisible characters")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        found.append("control characters")
    if unicodedata.normalize("NFC", value) != value:
        found.append("letters that are not composed (NFC)")
    scripts = {unicodedata.name(c, "?").split(" ")[0] for c in value if c.isalpha()}
    if {"LATIN", "CYRILLIC"} <= scripts or {"LATIN", "GREEK"} <= scripts:
        found.append("letters of look-alike scripts")
    return found


def kind(value: object) -> str:
    """Return the JSON name of a value's type."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _keys(entry: Mapping[str, Any]) -> str:
    names = [shown(key, 30) for key in list(entry)[:12]]
    return (", ".join(names) or "no keys") + (" …" if len(entry) > len(names) else "")


def _tidy(written: str) -> str:
    """Return compatibility forms as plain ones (full-width digits), and every kind of space as one space."""
    return " ".join(unicodedata.normalize("NFKC", written).split())
