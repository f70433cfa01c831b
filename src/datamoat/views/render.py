"""Rows for a person or a program (a table on a terminal, plain columns elsewhere, JSON, CSV, …), and templates filled with values."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from datamoat.errors import ContentError

MOST_ITEMS = 6  # of a list in a table for a person


class Form(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    MARKDOWN = "markdown"


UNSAFE = {code: f"\\x{code:02x}" for code in [*range(32), 127, *range(128, 160)]} | {
    code: f"\\u{code:04x}" for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F]
}  # control characters and the marks that turn text around: printed as escapes, so that they do nothing


def text_of(value: object) -> str:
    """Return one value as a person reads it; nothing in it can steer the terminal."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list):
        return ", ".join(text_of(item) for item in value)
    return str(value).translate(UNSAFE)


def cell_of(value: object) -> str:
    """Return one value as a cell of a table for a person: only the first items of a long list."""
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        return f"{text_of(value[:MOST_ITEMS])}, … ({len(value)})"
    return text_of(value)


def say(sentence: str, *, as_json: bool, **facts: Any) -> None:  # noqa: ANN401  (whatever JSON can hold)
    """Print what a command did: the sentence, or the facts behind it as one JSON object."""
    typer.echo(json.dumps(facts, default=plain, ensure_ascii=False, indent=1) if as_json else sentence)


def rows(columns: Sequence[str], records: Iterable[Sequence[Any]], *, as_json: bool = False, title: str = "") -> None:
    """Print records under their columns."""
    records = list(records)
    if as_json:
        listed = [dict(zip(columns, record, strict=True)) for record in records]
        typer.echo(json.dumps(listed, default=plain, ensure_ascii=False, indent=1))
        return
    cells = [[cell_of(value) for value in record] for record in records]
    numeric = [all(isinstance(record[i], int | float) or record[i] is None for record in records) for i in range(len(columns))]
    if title:
        typer.secho(title, bold=True)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="dim")
        for name, is_number in zip(columns, numeric, strict=True):
            table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
        for line in cells:
            table.add_row(*(Text(cell) for cell in line))
        Console().print(table)
        return
    widths = [max([len(name), *(len(line[i]) for line in cells)]) for i, name in enumerate(columns)]
    for line in [list(columns), *cells]:
        padded = [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True)]
        typer.echo("  ".join(padded).rstrip())


def print_as(form: Form, columns: Sequence[str], types: Sequence[str], records: Sequence[Sequence[Any]]) -> None:
    """Print records to standard output in one of the forms.

    CSV is UTF-8 with an empty cell for null and lists as JSON; one line of NDJSON is one row.

    Args:
        form: The form.
        columns: The names of the columns.
        types: Their types in DuckDB's notation, which Parquet needs.
        records: The rows.
    """
    if form is Form.CSV:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[_in_csv(value) for value in record] for record in records])
        typer.echo(text.getvalue().encode(), nl=False)  # UTF-8, whatever the console takes
    elif form is Form.NDJSON:
        for record in records:
            typer.echo(json.dumps(dict(zip(columns, record, strict=True)), default=plain, ensure_ascii=False))
    elif form is Form.MARKDOWN:
        typer.echo(markdown(columns, records))
    elif form is Form.PARQUET:
        typer.echo(_parquet(columns, types, records), nl=False)
    else:
        rows(columns, records, as_json=form is Form.JSON)
        if form is Form.TABLE and not records:
            typer.echo("(0 rows)")


def markdown(columns: Sequence[str], records: Iterable[Sequence[Any]]) -> str:
    """Return records as a Markdown table."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(text_of(value).replace("|", "\\|") for value in record) + " |" for record in records]
    return "\n".join(lines)


def _in_csv(value: object) -> object:
    """Return a value as a cell of CSV."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, default=plain, ensure_ascii=False) if isinstance(value, list | dict) else value


def _parquet(columns: Sequence[str], types: Sequence[str], records: Sequence[Sequence[Any]]) -> bytes:
    """Return records as the bytes of a Parquet file, by way of JSON, which keeps every type that a type name is given for."""
    import tempfile

    import duckdb

    from datamoat.storage.lake import identifier, literal_path, quoted

    names = [f"c{number}" for number in range(len(columns))]  # no two keys of one object may be the same
    with tempfile.TemporaryDirectory(prefix="datamoat-") as folder, duckdb.connect() as con:
        source, target = Path(folder) / "rows.json", Path(folder) / "rows.parquet"
        lines = (json.dumps(dict(zip(names, record, strict=True)), default=plain) for record in records)
        source.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        kinds = ["INTEGER" if kind == '"NULL"' else kind for kind in types]
        declared = ", ".join(
            f"{n}: {quoted('VARCHAR' if kind == 'BLOB' else kind)}" for n, kind in zip(names, kinds, strict=True)
        )
        listed = ", ".join(f"{n}::{kind} as {identifier(own)}" for n, kind, own in zip(names, kinds, columns, strict=True))
        con.execute(
            f"copy (select {listed} from read_json({literal_path(source)}, format = 'newline_delimited', columns = {{{declared}}}))"
            f" to {quoted(str(target))} (format parquet)"
        )
        return target.read_bytes()


def fill(folder: Path, name: str, **values: Any) -> str:  # noqa: ANN401  (whatever a template can show)
    """Return the filled template of a folder; in HTML every value that is not `Markup` is escaped.

    Raises:
        ContentError: The template is missing, malformed, or names a value that it is not given.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(("html.j2",), default=False, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.get_template(name).render(values)
    except TemplateError as failure:
        raise ContentError(
            f"the template {name} fails: {failure or type(failure).__name__}", str(folder / name), "correct the template."
        ) from failure


def plain(value: object) -> object:
    """Return what JSON does not know as a number or text."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return "".join(f"\\x{byte:02X}" for byte in value)  # as DuckDB writes and reads it
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
