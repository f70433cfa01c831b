"""The command that changes inputs and shows what follows."""

import json
from typing import Annotated, Any

import typer

from datamoat.cli.options import AsJson, Where
from datamoat.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(whatif)


def whatif(
    numbers: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, or NAME=LOW,MIDDLE,HIGH.")] = None,
    dropped: Annotated[list[str] | None, typer.Option("--drop", help="A fact that no estimate may use.")] = None,
    quantity: Annotated[str | None, typer.Option("--of", help="The quantity to compare.")] = None,
    where: Where = None,
    limit: Annotated[int, typer.Option(help="How many rows of a table to print.")] = 20,
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
        if as_json:
            listed[table.name] = {
                "title": table.title,
                "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
            }
        elif table.rows:
            rows(table.columns, table.rows[:limit], title=table.title)
            typer.echo()
        else:
            typer.echo(f"{table.title}: nothing changes\n")
    if as_json:
        typer.echo(json.dumps(listed, default=str, ensure_ascii=False, indent=1))
