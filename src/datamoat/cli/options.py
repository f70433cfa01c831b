"""Options that several commands share, and how a path is printed."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Leave out what became public later."),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="COLUMN=VALUE, once for each column that names a row. A date left out is the newest."),
]


def day_of(value: datetime | None) -> date | None:
    """Return the day of an option."""
    return value.date() if value else None


def shown(path: Path) -> str:
    """Return a path as a person in this folder would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
