"""Rows for a person or a program (a table on a terminal, plain columns elsewhere, or JSON), and templates filled with values."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import typer

from datamoat.errors import ContentError

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


def rows(columns: Sequence[str], records: Iterable[Sequence[Any]], *, as_json: bool = False, title: str = "") -> None:
    """Print records under their columns."""
    if as_json:
        listed = [dict(zip(columns, record, strict=True)) for record in records]
        typer.echo(json.dumps(listed, default=_plain, ensure_ascii=False, indent=1))
        return
    cells = [[text_of(value) for value in record] for record in records]
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


def _plain(value: object) -> str:
    """Return what JSON does not know as text."""
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
