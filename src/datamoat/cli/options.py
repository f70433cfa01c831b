"""Options that several commands share, and how a path and the program itself are printed."""

import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

PROGRAM = "datamoat"


def read_day(text: str) -> date:
    """Return a day that was typed.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as failure:
        raise typer.BadParameter(f"{text!r} is not a day: write year, month and day, such as 2026-05-14.") from failure


def day_option(*names: str, help: str) -> Any:  # noqa: A002, ANN401  (both are typer's)
    """Return an option that takes a day."""
    return typer.Option(*names, parser=read_day, metavar="YYYY-MM-DD", help=help)


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
AsOf = Annotated[date | None, day_option("--as-of", help="Leave out what became public later.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="COLUMN=VALUE, once for each column that names a row. A date left out is the newest."),
]


def shown(path: Path) -> str:
    """Return a path as a person in this folder would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def program() -> str:
    """Return what a person in this folder types to call the program: its name, or its path where it is not on PATH."""
    called = Path(sys.argv[0])
    if called.name == PROGRAM and called.is_file() and shutil.which(PROGRAM) is None:
        return shown(called.absolute())
    return PROGRAM


def with_program(text: str) -> str:
    """Return a text with the commands in it as a person in this folder would type them."""
    return text.replace(f"`{PROGRAM} ", f"`{program()} ") if f"`{PROGRAM} " in text else text
