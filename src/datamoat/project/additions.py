"""Add one row to the reference facts: which columns a kind of row has, which words each takes, and the row itself."""

import csv
import io
import json
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from datamoat.errors import ContentError, UsageError
from datamoat.project.reference import DESCRIPTOR, TYPES, read_reference
from datamoat.project.rules import check_rules
from datamoat.project.texts import unreadable
from datamoat.storage.files import write_whole

NUMBERED = re.compile(r"\^([A-Z]+)\[0-9\]\{(\d+),?\}\$")


@dataclass(frozen=True)
class Field:
    """One column as a contributor meets it.

    Attributes:
        allowed: The words it takes, if it takes only some, or what kind of value it takes.
        example: A value that a row of the table has; empty where none has one.
        numbered: The letters and the number of digits of a numbered id that may be left out; None for any other column.
    """

    name: str
    description: str
    is_required: bool
    allowed: str
    example: str
    numbered: tuple[str, int] | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of row that can be added: the word for it, its table and its columns."""

    word: str
    path: Path
    fields: tuple[Field, ...]


def read_kinds(folder: Path) -> dict[str, Kind]:
    """Return the kinds of rows by the word for them, which a resource of the descriptor gives as `row_kind`, else its name."""
    described = json.loads((folder / DESCRIPTOR).read_text(encoding="utf-8"))["resources"]
    found = {}
    for resource in described:
        path = folder / resource["path"]
        if path.suffix == ".csv":
            word = resource.get("row_kind", path.stem)
            rows = _rows(path)
            schema = resource["schema"]
            named = [key["fields"] for key in schema.get("foreignKeys", ())]
            foreign = {name for one in named for name in ([one] if isinstance(one, str) else one)}
            fields = tuple(
                _field(entry, [row[place] for row in rows[1:]], is_own=entry["name"] not in foreign)
                for place, entry in enumerate(schema["fields"])
            )
            found[word] = Kind(word, path, fields)
    return found


def add_rows(folder: Path, rows: list[tuple[Kind, dict[str, str]]], today: date) -> list[tuple[int, str]]:
    """Write rows that belong together, if every rule takes them, and return their lines and first cells; else no file changes.

    Args:
        folder: The folder of the reference facts.
        rows: For each row its kind, and its cells by column; a numbered id that is left out is the next one, of the thousand
            in which most rows of the same `source_id` are where the table has that column.
        today: The day after which nothing can have been seen.

    Raises:
        UsageError: A column is unknown, or a required one is missing.
        ContentError: A row breaks the descriptor or a rule.
    """
    files: dict[Path, list[list[str]]] = {}
    added = []
    for kind, values in rows:
        lines = files.setdefault(kind.path, _rows(kind.path))
        cells = _cells(kind, values, lines)
        first = [line[0] for line in lines[1:]]
        at = next((n for n, key in enumerate(first) if key > cells[0]), len(first)) + 1 if first == sorted(first) else len(lines)
        lines.insert(at, cells)
        added.append((kind.path, cells))
    bodies = {path: _as_csv(lines) for path, lines in files.items()}
    with tempfile.TemporaryDirectory() as place:
        trial = Path(shutil.copytree(folder, Path(place) / folder.name))
        for path, body in bodies.items():
            (trial / path.name).write_bytes(body)
        try:
            check_rules(trial, read_reference(trial), today)
        except ContentError as failure:
            raise ContentError(failure.what, failure.where.replace(str(trial), str(folder)), failure.fix) from failure
    for path, body in reversed(bodies.items()):  # what a row refers to is written last, so that nothing is half referred to
        write_whole(path, body)
    return [(files[path].index(cells) + 1, cells[0]) for path, cells in added]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV by column.

    Raises:
        UsageError: There is no such file, or it is not UTF-8 text.
    """
    try:
        lines = _rows(path)
    except (OSError, UnicodeDecodeError, csv.Error) as failure:
        raise UsageError(f"cannot read {path.name}: {unreadable(failure)}", str(path), "save it as CSV in UTF-8.") from failure
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]


def _cells(kind: Kind, values: dict[str, str], lines: list[list[str]]) -> list[str]:
    """Return the cells of one row in the order of its table, of which `lines` is the header and the rows."""
    names = [field.name for field in kind.fields]
    unknown = sorted(values.keys() - set(names))
    if unknown:
        raise UsageError(
            f"{kind.path.name} has no column {', '.join(unknown)}", "the command line", f"its columns are {', '.join(names)}."
        )
    cells = {field.name: values.get(field.name) or _next_id(field, values, lines) for field in kind.fields}
    missing = [field for field in kind.fields if field.is_required and not cells[field.name]]
    if missing:
        listed = "".join(
            f"\n  {field.name}=…  {field.description} {field.allowed}; {field.example!r} for example" for field in missing
        )
        raise UsageError(
            f"{kind.word} needs {len(missing)} more values:{listed}", "the command line", "give each as COLUMN=VALUE."
        )
    return list(cells.values())


def _next_id(field: Field, values: dict[str, str], lines: list[list[str]]) -> str:
    """Return the next free numbered id of a column, empty for any other column.

    A table with a `source_id` has its ids in thousands: the next is of that in which most rows of the same source are.
    """
    if field.numbered is None:
        return ""
    letters, digits = field.numbered
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    numbers = [int(row[field.name].removeprefix(letters)) for row in rows]
    source = values.get("source_id")
    of = Counter(number // 1000 for number, row in zip(numbers, rows, strict=True) if source and row.get("source_id") == source)
    thousand = max(of, key=lambda one: (of[one], one), default=None)
    free = max((number for number in numbers if thousand in (None, number // 1000)), default=0) + 1
    while free in numbers:
        free += 1
    return f"{letters}{free:0{digits}d}"


def _as_csv(lines: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue().encode()


def vocabulary_page(folder: Path) -> str:
    """Return a page with every column of the reference facts, what it takes and an example."""
    parts = [
        "# Vocabularies\n\nGenerated by `datamoat docs`: the columns of each table of `data/reference/`, what they take, and an example where it is no free text."
    ]
    for kind in read_kinds(folder).values():
        lines = [
            f"| {'**' if field.is_required else ''}`{field.name}`{'**' if field.is_required else ''} | {field.description} | {field.allowed} | {field.example if field.allowed != 'text' else ''} |"
            for field in kind.fields
        ]
        parts.append(
            f"## {kind.path.stem}\n\n`datamoat add {kind.word}`; columns in bold are required.\n\n| Column | What it is | Takes | Example |\n|---|---|---|---|\n"
            + "\n".join(line.replace("\n", " ") for line in lines)
        )
    return "\n\n".join(parts) + "\n"


def _field(entry: dict[str, Any], known: list[str], *, is_own: bool) -> Field:
    """Return one column with what it takes, an example from the table, and how its ids are numbered if they are its own."""
    limits = entry.get("constraints", {})
    allowed = TYPES[entry["type"]][1]
    if "enum" in limits:
        allowed = "one of " + ", ".join(map(str, limits["enum"]))
    elif "pattern" in limits:
        allowed = f"text like `{limits['pattern'].replace('|', chr(92) + '|')}`"
    match = NUMBERED.fullmatch(limits.get("pattern", "")) if limits.get("unique") and is_own else None
    numbered = (match[1], int(match[2])) if match else None
    example = next((cell for cell in known if cell), "")
    return Field(entry["name"], entry.get("description", ""), bool(limits.get("required")), allowed, example, numbered)


def _rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
