"""The command that changes an assumption and shows what follows."""

from datetime import datetime
from typing import Annotated, Any

import typer

from datamoat.errors import UsageError
from datamoat.settings import Settings, read_settings

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
    refit: Annotated[bool, typer.Option("--refit", help="Build anew even where the published draws would do.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Change assumptions or drop facts, and show what follows for volumes and verdicts.

    What acts after the fit is answered from the published draws at once; the rest builds a twin. The answer says which.

    Example: datamoat whatif --set A021=0.1 --set access.bytedance.tiktok=none
    """
    from datamoat.render import rows as show

    if not numbers and not dropped:
        raise UsageError("nothing is changed", "datamoat whatif", "give --set NAME=VALUE or --drop FACT.")
    settings = read_settings()
    if not refit and numbers and not dropped and scenario == "baseline" and month is None:
        asked = {name.strip(): value.strip() for name, _, value in (text.partition("=") for text in numbers)}
        if _from_draws(settings, asked, quantity, limit, as_json=as_json):
            return
    from datamoat.lake import quoted
    from datamoat.whatif import Change, compare, read_number, twin

    if any(text.startswith("access.") for text in numbers or ()):
        raise UsageError(
            "an access is changed in the draws alone", "--set access.…", "leave --drop, --month and --scenario away."
        )
    typer.echo("refit: what is asked acts before or in the fit, so the tables it leads to are built anew", err=True)
    change = Change(dict(read_number(text) for text in numbers or ()), tuple(dropped or ()))
    with twin(settings, change, TARGET, lambda line: typer.echo(line, err=True)) as other:
        where = f"scenario_id = {quoted(scenario)}"
        columns, found = compare(settings, other, TARGET, KEYS, quantity, where, month and month.date())
    show(columns, found[:limit], as_json=as_json)
    if not found:
        typer.echo(f"nothing in {quantity} changes", err=True)


def _from_draws(settings: Settings, asked: dict[str, str], quantity: str, limit: int, *, as_json: bool) -> bool:
    """Answer from the published draws, if they can; return whether they could."""
    import json

    from datamoat.published import open_published
    from datamoat.whatif_draws import BOARD_COLUMNS, acts_after_the_fit, answer_from_draws

    with open_published(settings) as con:
        if not acts_after_the_fit(con, asked):
            return False
    if not as_json:
        answer_from_draws_aloud(settings, asked, quantity, limit)
        return True
    found = answer_from_draws(settings, asked, quantity)
    told = {
        "from": "draws",
        "n_draws": found.n_draws,
        "volumes": [dict(zip(found.columns, row, strict=True)) for row in found.volumes],
        "boards": [dict(zip(BOARD_COLUMNS, row, strict=True)) for row in found.boards],
    }
    typer.echo(json.dumps(told, default=str, indent=1))
    return True


def answer_from_draws_aloud(settings: Settings, asked: dict[str, str], quantity: str, limit: int) -> None:
    """Print the volumes as soon as they are known, then the verdicts."""
    from datamoat.render import rows as show
    from datamoat.whatif_draws import BOARD_COLUMNS, answer_from_draws

    def told(columns: tuple[str, ...], volumes: list[tuple[Any, ...]], n_draws: int) -> None:
        typer.echo(f"from the published draws ({n_draws:,}); nothing was fitted again", err=True)
        show(columns, volumes[:limit], title=f"{quantity} in the last month, companies that change most")
        if not volumes:
            typer.echo(f"nothing in {quantity} changes")

    found = answer_from_draws(settings, asked, quantity, told)
    typer.echo()
    show(BOARD_COLUMNS, found.boards, title="Primary boards, as published and if")
