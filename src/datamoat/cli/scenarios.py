"""The command that changes inputs and shows what follows."""

import json
from typing import Annotated, Any

import typer

from datamoat.cli.options import AsJson, Where
from datamoat.settings import read_settings

SHOWN = 20  # rows of a table that are printed unless --limit changes it


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(whatif)


def whatif(
    numbers: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, or NAME=LOW,MIDDLE,HIGH.")] = None,
    dropped: Annotated[list[str] | None, typer.Option("--drop", help="A fact that no estimate may use.")] = None,
    quantity: Annotated[str | None, typer.Option("--of", help="The quantity to compare.")] = None,
    where: Where = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help=f"How many rows of a table to print; {SHOWN}, and all as JSON.")
    ] = None,
    build: Annotated[bool, typer.Option("--build", help="Build again even where the published draws would do.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change assumptions or drop facts, and compare what follows with what is published.

    What acts after the fit is computed from the published draws at once; the rest takes a scenario build. The output states which.

    Example: datamoat whatif --set NAME=0.1 --drop FACT
    """
    from datamoat.scenarios.whatif import Change, whatif
    from datamoat.views.render import rows
    from datamoat.views.trace import read_pairs

    settings = read_settings()
    change = Change(read_pairs(numbers or [], "--set"), tuple(dropped or ()), read_pairs(where or [], "--where"), build)
    listed: dict[str, Any] = {}
    for table in whatif(settings, change, quantity):
        printed = table.rows[: limit if limit is not None else None if as_json else SHOWN]
        if as_json:
            listed[table.name] = {"title": table.title, "rows": [dict(zip(table.columns, row, strict=True)) for row in printed]}
        elif table.rows:
            rows(table.columns, printed, title=table.title)
            if left := len(table.rows) - len(printed):
                typer.echo(f"… {left} more rows; --limit {len(table.rows)} prints all")
            typer.echo()
        else:
            typer.echo(f"{table.title}: nothing changes\n")
    if as_json:
        typer.echo(json.dumps(listed, default=str, ensure_ascii=False, indent=1))
