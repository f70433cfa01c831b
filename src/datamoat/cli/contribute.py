"""The command for those who contribute facts: add."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datamoat.cli.options import AsJson, program, shown
from datamoat.errors import UsageError
from datamoat.settings import read_settings
from datamoat.views.render import say

if TYPE_CHECKING:
    from datamoat.project.additions import Kind


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(add)


def add(
    kind: Annotated[str, typer.Argument(help="What to add: fact, capture, alias, or the name of a table of data/reference.")],
    values: Annotated[
        list[str] | None, typer.Argument(metavar="COLUMN=VALUE", help="Its values; a terminal prompts for others.")
    ] = None,
    together: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KIND=FILE.csv", help="Rows that belong to it, such as a capture's entries."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add one row to the reference facts; it is written only if every rule takes it.

    On a terminal each missing value is prompted for, with the words it takes and an example. A numbered id is never
    prompted for: without one the next is taken. The id is printed.

    Example: datamoat add citation title="A report" publisher="A publisher"
    """
    from datamoat.project.additions import add_rows, read_kinds, read_rows

    settings = read_settings()
    kinds = read_kinds(settings.reference)
    _known(kind, kinds)
    given = dict(_pair(value) for value in values or [])
    if sys.stdin.isatty():
        for field in kinds[kind].fields:
            if field.name not in given and field.numbered is None:
                typer.echo(f"\n{field.name}: {field.description} {field.allowed}; {field.example!r} for example.")
                hint = "" if field.is_required else " (may be empty)"
                given[field.name] = typer.prompt(f"{field.name}{hint}", default="", show_default=False)
    more = [(kinds[_known(word, kinds)], row) for word, file in map(_pair, together or []) for row in read_rows(Path(file))]
    line, key = add_rows(settings.reference, [(kinds[kind], given), *more], datetime.now(UTC).date())[0]
    say(
        f"{key} written, {shown(kinds[kind].path)}:{line}. `{program()} build`, then `{program()} diff --working` shows what it moves.",
        as_json=as_json, key=key, path=kinds[kind].path, line=line,
    )  # fmt: skip


def _pair(written: str) -> tuple[str, str]:
    """Return the two sides of NAME=VALUE."""
    name, equals, value = written.partition("=")
    if not equals:
        raise UsageError(f"{written!r} is not NAME=VALUE", "the command line", "write the name, = and the value.")
    return name, value


def _known(word: str, kinds: dict[str, "Kind"]) -> str:
    """Return the word for a kind of row, if there is one."""
    if word not in kinds:
        raise UsageError(f"no row is called {word!r}", "the command line", f"take one of: {', '.join(kinds)}.")
    return word
