"""The command that changes an assumption and shows what follows."""

from datetime import datetime
from typing import Annotated

import typer

from datamoat.errors import UsageError
from datamoat.settings import read_settings

TARGET, KEYS = "marts.company_volume", ("company_id", "month", "scenario_id")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(whatif)


def whatif(
    numbers: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, or NAME=LOW,MIDDLE,HIGH.")] = None,
    dropped: Annotated[list[str] | None, typer.Option("--drop", help="A fact no estimate may read.")] = None,
    quantity: Annotated[str, typer.Option("--of", help="The quantity to compare.")] = "usable_hours",
    scenario: Annotated[str, typer.Option(help="The scenario to compare.")] = "baseline",
    month: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The month; the last one if left out.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Build a twin with other assumptions or without some facts, and show what changes for each company.

    Example: datamoat whatif --set early_loss_share=0.3 --of first_party_stock_hours
    """
    from datamoat.lake import quoted
    from datamoat.render import rows as show
    from datamoat.whatif import Change, compare, read_number, twin

    if not numbers and not dropped:
        raise UsageError("nothing is changed", "datamoat whatif", "give --set NAME=VALUE or --drop FACT.")
    settings = read_settings()
    change = Change(dict(read_number(text) for text in numbers or ()), tuple(dropped or ()))
    with twin(settings, change, TARGET, lambda line: typer.echo(line, err=True)) as other:
        where = f"scenario_id = {quoted(scenario)}"
        columns, found = compare(settings, other, TARGET, KEYS, quantity, where, month and month.date())
    show(columns, found[:limit], as_json=as_json)
    if not found:
        typer.echo(f"nothing in {quantity} changes", err=True)
