"""The facts people transcribed: `data/reference/*.csv`, read strictly by `data/reference/datapackage.json`.

A resource whose format is `sql` is a folder of queries kept beside the facts they decide, one row a file.

The descriptor is a Frictionless Data Package, so that any tool of that family can validate the same files; this module
reads the part of the standard we use (types, required, enum, pattern, minimum, maximum, keys) in a fraction of the
time, and names file, line, value and fix.
"""

import csv
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from datamoat.errors import ContentError
from datamoat.project.column_types import of_frictionless, polars_type
from datamoat.project.texts import unreadable

DESCRIPTOR = "datapackage.json"
SEPARATORS = {";": "semicolons", "\t": "tabs"}
_DATE = re.compile(r"(?:19|20)\d{2}-\d{2}-\d{2}", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?\d+", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    value = float(text)
    if not math.isfinite(value):  # 1e400
        raise ValueError(text)
    return value


def _date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


TYPES: dict[str, tuple[Callable[[str], Any], str]] = {
    "string": (str, "text"),
    "integer": (_integer, "a whole number without separators"),
    "number": (_number, "a number with a decimal point and no separators"),
    "boolean": (_boolean, "true or false"),
    "date": (_date, "a date as 2026-05-14, from 1900 on"),
}


@dataclass(frozen=True)
class ReferenceTable:
    """One CSV, read and checked.

    Attributes:
        name: The CSV's stem; the raw table is `raw.reference__<name>`.
        frame: Its rows, typed by the descriptor.
        sha256: The hash of the file's bytes.
        n_bytes: Its size.
    """

    name: str
    frame: pl.DataFrame = field(hash=False)
    sha256: str = ""
    n_bytes: int = 0


def read_reference(folder: Path) -> tuple[ReferenceTable, ...]:
    """Read every CSV the descriptor names.

    Raises:
        ContentError: The first few rows or files that break the descriptor, each with its line and the fix.
    """
    described = _read_descriptor(folder / DESCRIPTOR)
    unknown = {path.name for path in folder.glob("*.csv")} - {resource["path"] for resource in described}
    if unknown:
        raise ContentError(
            f"{', '.join(sorted(unknown))} is not in the descriptor",
            str(folder / DESCRIPTOR),
            "add a resource with its fields, or delete the file.",
        )
    tables = tuple(
        _read_texts(folder / resource["path"], resource["schema"])
        if resource.get("format") == "sql"
        else _read_csv(folder / resource["path"], resource["schema"])
        for resource in described
    )
    frames = {table.name: table.frame for table in tables}
    for resource in described:
        for key in resource["schema"].get("foreignKeys", []):
            _check_foreign_key(folder / resource["path"], frames, Path(resource["path"]).stem, key)
    return tables


def _read_descriptor(path: Path) -> list[dict[str, Any]]:
    """Return the resources of the descriptor."""
    try:
        described: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["resources"]
    except (OSError, ValueError, KeyError) as failure:
        raise ContentError(f"cannot read the descriptor: {failure!r}", str(path), "fix the JSON.") from failure
    for resource in described:
        if not resource["schema"].get("primaryKey"):
            raise ContentError(
                f"resource {resource['name']!r} has no primaryKey", str(path), "name the fields that identify a row."
            )
        for entry in resource["schema"]["fields"]:
            if entry["type"] not in TYPES:
                raise ContentError(
                    f"field {entry['name']!r} has type {entry['type']!r}", str(path), f"use one of {sorted(TYPES)}."
                )
    return described


def _read_csv(path: Path, schema: dict[str, Any]) -> ReferenceTable:
    """Return one CSV, each cell read by its field's type and constraints."""
    try:
        body = path.read_bytes()
        text = body.decode("utf-8")
    except OSError as failure:
        raise ContentError(
            f"cannot read {path.name}: {failure.strerror}",
            str(path),
            f"bring it back (`git checkout {path.name}`), or take it out of {DESCRIPTOR}.",
        ) from failure
    except UnicodeDecodeError as failure:
        raise ContentError(f"cannot read {path.name}: {unreadable(failure)}", str(path), "store it as UTF-8 text.") from failure
    if text.startswith("\ufeff") or "\r" in text:
        raise ContentError("a byte-order mark or carriage returns", str(path), "store it as UTF-8 with LF line ends.")
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    fields = schema["fields"]
    names = [entry["name"] for entry in fields]
    columns: list[list[Any]] = [[] for _ in fields]
    breaches: list[str] = []
    try:
        header = next(reader, [])
        if not text.strip():
            raise ContentError(
                f"{path.name} is empty", str(path), f"bring it back (`git checkout {path.name}`); a table has a header at least."
            )
        if header != names:
            raise ContentError(_header_breach(header, names), f"{path}:1", f"use the columns of {DESCRIPTOR}, in its order.")
        readers = [_cell_reader(entry) for entry in fields]
        for row in reader:
            if len(row) != len(names):
                breaches.append(f"line {reader.line_num}: {len(row)} cells, not {len(names)}")
                continue
            for cells, read, cell in zip(columns, readers, row, strict=True):
                value, breach = read(cell)
                cells.append(value)
                if breach:
                    breaches.append(f"line {reader.line_num}: {breach}")
    except csv.Error as failure:
        raise ContentError(f"this is no CSV: {failure}", f"{path}:{reader.line_num}", "close every quote.") from failure
    if breaches:
        more = f"\n  … and {len(breaches) - 5} more" if len(breaches) > 5 else ""  # noqa: PLR2004
        raise ContentError(
            f"{len(breaches)} cell(s) of {path.name} break the descriptor:\n  " + "\n  ".join(breaches[:5]) + more,
            f"{path}:{breaches[0].split(':')[0].removeprefix('line ')}",
            f"fix the rows; what each column takes is in {DESCRIPTOR}.",
        )
    frame = pl.DataFrame(
        {
            entry["name"]: pl.Series(cells, dtype=polars_type(of_frictionless(entry["type"])))
            for entry, cells in zip(fields, columns, strict=True)
        }
    )
    key = schema["primaryKey"]
    _check_key(path, frame, [key] if isinstance(key, str) else key)
    return ReferenceTable(path.stem, frame, hashlib.sha256(body).hexdigest(), len(body))


def _read_texts(folder: Path, schema: dict[str, Any]) -> ReferenceTable:
    """Return a folder of SQL files as a table: the first field is a file's stem, the second its text."""
    bodies = {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.sql"))}
    if not bodies or not all(bodies.values()):
        raise ContentError("no SQL file, or an empty one", str(folder), "write one query a file, or drop the resource.")
    stem, text = (entry["name"] for entry in schema["fields"])
    frame = pl.DataFrame({stem: list(bodies), text: list(bodies.values())})
    body = "\0".join(f"{name}\0{query}" for name, query in bodies.items()).encode()
    return ReferenceTable(folder.name, frame, hashlib.sha256(body).hexdigest(), len(body))


def _cell_reader(entry: dict[str, Any]) -> Callable[[str], tuple[Any, str | None]]:
    """Return a function that reads one cell and returns what is wrong with it, if anything."""
    name, limits = entry["name"], entry.get("constraints", {})
    convert, kind = TYPES[entry["type"]]
    pattern = re.compile(limits["pattern"]) if "pattern" in limits else None
    allowed = set(map(str, limits["enum"])) if "enum" in limits else None
    low, high = limits.get("minimum"), limits.get("maximum")
    if entry["type"] == "date":
        low, high = low and _date(low), high and _date(high)

    like = ""

    def read(cell: str) -> tuple[Any, str | None]:
        nonlocal like
        if cell == "":
            return None, f"{name} is empty, and it is required" if limits.get("required") else None
        if cell != cell.strip():
            return None, f"{name} {cell!r} has blanks at its ends"
        try:
            value = convert(cell)
        except (ValueError, KeyError):
            return None, f"{name} {cell!r} is not {kind}"
        if allowed is not None and cell not in allowed:
            return value, f"{name} {cell!r} is not one of {sorted(allowed)}"
        if pattern is not None:
            if not pattern.fullmatch(cell):
                return value, f"{name} {cell!r} does not match {pattern.pattern}{like}"
            like = f", as {cell!r} does"
        if low is not None and value < low:
            return value, f"{name} {cell!r} is below {low}"
        if high is not None and value > high:
            return value, f"{name} {cell!r} is above {high}"
        return value, None

    return read


def _header_breach(header: list[str], names: list[str]) -> str:
    """Return how a header differs from the descriptor."""
    if len(header) == 1 and (marks := [word for mark, word in SEPARATORS.items() if header[0].split(mark) == names]):
        return f"the cells are separated by {marks[0]}, not by commas: save it as CSV with commas"
    unknown, absent = [n for n in header if n not in names], [n for n in names if n not in header]
    if unknown or absent:
        return f"unknown columns {unknown}, missing columns {absent}"
    moved = [name for name, own in zip(header, names, strict=False) if name != own]
    if len(moved) == 2:  # noqa: PLR2004
        return f"the columns {moved[0]} and {moved[1]} are exchanged"
    return f"the columns are in another order: {header}"


def _check_key(path: Path, frame: pl.DataFrame, key: list[str]) -> None:
    """Refuse two rows with one key."""
    twice = [(values, n) for values, n in Counter(frame.select(key).iter_rows()).items() if n > 1]
    if twice:
        values, n = twice[0]
        lines = [i + 2 for i, row in enumerate(frame.select(key).iter_rows()) if row == values]
        raise ContentError(
            f"{n} rows of {path.name} have the key {dict(zip(key, values, strict=True))}"
            + (f", and {len(twice) - 1} more keys repeat" if len(twice) > 1 else ""),
            f"{path}, rows {lines[:4]} (the header is row 1)",
            "keep one row, or give the other a key of its own.",
        )


def _check_foreign_key(path: Path, frames: dict[str, pl.DataFrame], name: str, key: dict[str, Any]) -> None:
    """Refuse a row that names something that is not there."""
    mine = [key["fields"]] if isinstance(key["fields"], str) else key["fields"]
    theirs = key["reference"]["fields"]
    theirs = [theirs] if isinstance(theirs, str) else theirs
    other = key["reference"]["resource"] or name
    if other.replace("-", "_") not in frames:
        raise ContentError(f"a foreign key points at {other!r}, which is no resource", str(path), f"fix {DESCRIPTOR}.")
    known = set(frames[other.replace("-", "_")].select(theirs).iter_rows())
    for number, values in enumerate(frames[name].select(mine).iter_rows(), start=2):
        if all(value is not None for value in values) and values not in known:
            raise ContentError(
                f"{path.name} row {number}: {dict(zip(mine, values, strict=True))} is not in {other}.csv",
                f"{path}, row {number} (the header is row 1)",
                f"add the row to {other}.csv first, or correct the id.",
            )


def input_rows(folder: Path, facts: Iterable[ReferenceTable]) -> pl.DataFrame:
    """Return `meta.input_rows`: every reference row by its key, with a hash, so that two builds can be compared."""
    described = {r["name"]: r for r in json.loads((folder / DESCRIPTOR).read_text(encoding="utf-8"))["resources"]}
    keys = {Path(resource["path"]).stem: resource["schema"]["primaryKey"] for resource in described.values()}
    rows: dict[str, list[str]] = {"input": [], "row_key": [], "row_md5": []}
    for fact in facts:
        key = keys[fact.name]
        places = [fact.frame.columns.index(name) for name in ([key] if isinstance(key, str) else key)]
        for record in fact.frame.iter_rows():
            rows["input"].append(f"reference/{fact.name}.csv")
            rows["row_key"].append("; ".join(str(record[place]) for place in places))
            rows["row_md5"].append(hashlib.md5(repr(record).encode(), usedforsecurity=False).hexdigest())
    return pl.DataFrame(rows, schema={"input": pl.String, "row_key": pl.String, "row_md5": pl.String}).sort("input", "row_key")
