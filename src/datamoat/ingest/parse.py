"""Run a source's `parse.py` on an answer: here where the format is text, in a child process where it is binary."""

import contextlib
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from datamoat.errors import ContentError, SourceChangedError
from datamoat.ingest.paging import refuse_part
from datamoat.parsing import Response, Row, changed, fold, kind, shown, storable
from datamoat.parsing.containers import unwrap
from datamoat.project.python_models import load
from datamoat.project.sources import Source, Table

BINARY = (b"PAR1", b"PK\x03\x04", b"ARROW1", b"\xd0\xcf\x11\xe0", b"DUCK")  # a native reader would see these
CHILD_SECONDS = 60
CHILD_BYTES = 6 * 2**30  # of address space, of which a reader of Parquet reserves far more than it uses
OLDEST_YEAR = 1900
MOST_YEARS_AHEAD = 10  # of the capture: a licence may end then, a publication may not; its own rule is narrower
Parser = Callable[[Response], list[Row]]


def read_response(source: Source, pages: list[bytes], request: str, day: date) -> tuple[dict[str, list[Row]], Counter[str]]:
    """Return the rows of every table, typed as `source.yml` declares, and the parser's notes.

    A body in a binary format is read in a child process: a malicious file may crash its reader, not us.

    Raises:
        SourceChangedError: The answer is not what the parser knows, or broke it.
    """
    notes: Counter[str] = Counter()
    for place, page in enumerate(pages):
        pages[place], unwrapped = unwrap(page, int(source.fetch.max_megabytes * 1_000_000))
        notes.update(unwrapped)
    refuse_part(pages, source.fetch.requests[request].paging)
    apart = any(page.startswith(BINARY) or page[8:12] == b"DUCK" for page in pages)
    found: dict[str, list[Row]] = {}
    for name, table in source.tables.items():
        rows: list[Row] = []
        keys = {*table.grain, *table.anomaly_checks.key}
        for page in pages:
            raw, remarks = (_parse_apart if apart else _parse_here)(source, name, page, request, day)
            rows += raw
            notes.update(remarks)
        for row in rows:
            _type(table, keys, row, notes, day)
        found[name] = rows
    return found, notes


def _parser_of(path: Path, table: str) -> Parser:
    parser: Parser | None = getattr(load(path), table, None)
    if parser is None:
        raise ContentError(f"parse.py has no function {table}()", str(path), "one function for each table of source.yml.")
    return parser


_PARSERS: dict[tuple[Path, int, str], Parser] = {}


def _parse_here(source: Source, table: str, page: bytes, request: str, day: date) -> tuple[list[Row], Counter[str]]:
    key = (source.parser, source.parser.stat().st_mtime_ns if source.parser.exists() else 0, table)
    if key not in _PARSERS:
        _PARSERS[key] = _parser_of(source.parser, table)
    response = Response(page, request, day)
    try:
        return list(_PARSERS[key](response)), response.notes
    except (SourceChangedError, ContentError):
        raise
    except MemoryError as failure:
        raise changed("the answer needs more memory than there is") from failure
    except Exception as failure:
        raise changed(f"parse.py failed on it: {type(failure).__name__}: {shown(failure, 120)}") from failure


def _parse_apart(source: Source, table: str, page: bytes, request: str, day: date) -> tuple[list[Row], Counter[str]]:
    """Parse in a child that may only compute: bounded in time, memory and what it can write."""
    if not source.parser.is_file():
        raise ContentError("a source needs a parser", str(source.parser), "write parse.py with one function for each table.")
    order = json.dumps({"parser": str(source.parser), "table": table, "request": request, "day": day.isoformat()}).encode()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "POLARS_MAX_THREADS": "1",
        "PYTHONUTF8": "1",
    }
    try:
        child = subprocess.run(
            [sys.executable, "-m", "datamoat.ingest.parse"],
            input=order + b"\n" + page, capture_output=True, timeout=CHILD_SECONDS, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as failure:
        raise changed(f"its reader did not end within {CHILD_SECONDS} seconds") from failure
    try:
        remarks = json.loads(child.stdout)
    except ValueError:
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit {child.returncode}"
        raise changed(f"it broke its reader ({how}); nothing was read") from None
    if "changed" in remarks:
        raise SourceChangedError(*remarks["changed"])
    if "content" in remarks:
        raise ContentError(*remarks["content"])
    return remarks["rows"], Counter(remarks["notes"])


def _child() -> None:
    """Read an order and a body from standard input, write rows or an error as JSON to standard output."""
    _limit()
    order, _, page = sys.stdin.buffer.read().partition(b"\n")
    wanted = json.loads(order)
    response = Response(page, wanted["request"], date.fromisoformat(wanted["day"]))
    out: dict[str, Any]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            rows = list(_parser_of(Path(wanted["parser"]), wanted["table"])(response))
        out = {"rows": rows, "notes": response.notes}
    except SourceChangedError as failure:
        out = {"changed": failure.args}
    except ContentError as failure:
        out = {"content": failure.args}
    except BaseException as failure:  # noqa: BLE001  (a panic in a native reader is not an Exception)
        out = {"changed": changed(f"parse.py failed on it: {type(failure).__name__}: {shown(failure, 120)}").args}
    sys.stdout.write(json.dumps(out, default=_plain))


def _limit() -> None:
    """Bound what this process may use and write; a system without such limits still has the parent's deadline."""
    with contextlib.suppress(ImportError):
        import resource

        wanted = {"RLIMIT_AS": CHILD_BYTES, "RLIMIT_CPU": CHILD_SECONDS, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}
        for name, most in wanted.items():
            with contextlib.suppress(ValueError, OSError, AttributeError):
                resource.setrlimit(getattr(resource, name), (most, most))


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    message = f"a {type(value).__name__} in a row"
    raise TypeError(message)


def _type(table: Table, keys: set[str], row: Row, notes: Counter[str], day: date) -> None:
    """Give a row's values the declared types, in place: a table of half a million rows is held once.

    Raises:
        SourceChangedError: A value is of another type, or missing where it may not be.
        ContentError: The parser yields other columns than it declares.
    """
    if row.keys() != table.columns.keys():
        odd = sorted(row.keys() ^ table.columns.keys())
        raise ContentError(f"parse.py and source.yml disagree on columns {odd}", "source.yml", "name the same columns in both.")
    for name, wanted in table.columns.items():
        row[name] = _cell(name, wanted, row[name], notes)
        if isinstance(row[name], date) and not OLDEST_YEAR <= row[name].year <= day.year + MOST_YEARS_AHEAD:
            raise changed(f"{name} is {row[name]}, in a year that cannot be meant")
    for name in keys:
        if isinstance(row[name], str) and (folded := fold(row[name])) != row[name]:
            notes[f"{name}: {shown(row[name])} is read as {shown(folded)}"] += 1
            row[name] = folded
    for name in (*table.required, *table.grain):
        if row[name] is None:
            raise changed(f"{name} is missing in a row where every row must have one")


def _cell(name: str, wanted: str, value: Any, notes: Counter[str]) -> Any:  # noqa: ANN401, C901, PLR0912
    """Return one value in the declared type."""
    if value is None:
        return None
    if wanted == "VARCHAR" and isinstance(value, str):
        stored = storable(value)
        if stored != value:
            notes[f"{name}: a lone surrogate written out as text"] += 1
        return stored
    if wanted == "VARCHAR[]" and isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
        return [storable(entry) for entry in value]
    if wanted == "BOOLEAN" and isinstance(value, bool):
        return value
    if isinstance(value, bool):
        pass
    elif wanted == "BIGINT" and isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise changed(f"{name} is {shown(value, 30)}, beyond 64 bits")
        return value
    elif wanted == "DOUBLE" and isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            raise changed(f"{name} is {shown(value, 30)}, larger than any 64-bit number") from None
        if math.isinf(number):
            raise changed(f"{name} is larger than any 64-bit number")
        if math.isnan(number):
            notes[f"{name}: {number} read as missing"] += 1
            return None
        return number
    elif wanted in {"DATE", "TIMESTAMP"} and isinstance(value, str | date):
        with contextlib.suppress(ValueError, OverflowError):  # a day that does not exist, or beyond any calendar
            return _moment(value, wanted)
        raise changed(f"{name} is {shown(value)}, not a {wanted}")
    raise changed(f"{name} is {kind(value)} {shown(value)}, not {wanted}: its type changed")


def _moment(value: str | date, wanted: str) -> date:
    """Return a day, or an instant in UTC without its zone."""
    if wanted == "DATE":
        day = date.fromisoformat(value) if isinstance(value, str) else value
        return day.date() if isinstance(day, datetime) else day
    moment = datetime.fromisoformat(str(value))
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


if __name__ == "__main__":
    _child()
