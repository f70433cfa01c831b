"""The command that changes an assumption and shows what follows."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datamoat.errors import UsageError
from datamoat.settings import Settings, read_settings

if TYPE_CHECKING:
    from datamoat.scenarios.verdicts import Verdicts

TARGET, KEYS = "marts.company_volume", ("company_id", "month", "scenario_id")
VOLUMES = "intermediate.int_company__volume_draws"  # what the mart's quantiles are taken of; the verdicts are judged on it


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
    if not numbers and not dropped:
        raise UsageError("nothing is changed", "datamoat whatif", "give --set NAME=VALUE or --drop FACT.")
    settings = read_settings()
    show = _Shown(quantity, limit, as_json=as_json)
    asked = [text.partition("=") for text in numbers or ()]
    if not refit and not dropped and scenario == "baseline" and month is None:
        from datamoat.scenarios.draws import answer_from_draws

        held = {name.strip(): value.strip() for name, _, value in asked}
        found = answer_from_draws(settings, held, quantity, show.volumes_from_draws)
        if found is not None:
            show.verdicts(found.verdicts)
            return
    if any(name.strip().startswith("access.") for name, *_ in asked):
        raise UsageError(
            "an access is changed in the draws alone",
            "--set access.…",
            "ask about it by itself: without --drop, --month, --scenario, --refit, three numbers, or what acts before the fit.",
        )
    _refit(settings, show, numbers or [], dropped or [], scenario, month and month.date())


def _refit(settings: Settings, show: "_Shown", numbers: list[str], dropped: list[str], scenario: str, month: date | None) -> None:
    """Answer from a twin in which the tables that the volumes rest on are built anew."""
    from datamoat.scenarios.rebuild import Change, compare, read_number, twin
    from datamoat.scenarios.verdicts import at_hand, verdicts_if
    from datamoat.storage.lake import path_of, quoted

    change = Change(dict(read_number(text) for text in numbers), tuple(dropped))
    with twin(settings, change, TARGET) as lake:
        where = f"scenario_id = {quoted(scenario)}"
        columns, found = compare(settings, path_of(lake, TARGET), TARGET, KEYS, show.quantity, where, month)
        show.volumes("refit", columns, found)
        with at_hand(settings) as con:
            show.verdicts(verdicts_if(settings, con, f"from read_parquet({quoted(str(path_of(lake, VOLUMES)))})"))


class _Shown:
    """Prints what was found: tables as they come, or one JSON object at the end."""

    def __init__(self, quantity: str, limit: int, *, as_json: bool) -> None:
        self.quantity = quantity
        self._limit = limit
        self._as_json = as_json
        self._told: dict[str, Any] = {}

    def volumes_from_draws(self, columns: Sequence[str], found: list[tuple[Any, ...]], n_draws: int) -> None:
        """Show the volumes, and that nothing was fitted."""
        typer.echo(f"from the published draws ({n_draws:,}); nothing was fitted again", err=True)
        self.volumes("draws", columns, found, n_draws=n_draws)

    def volumes(self, made_from: str, columns: Sequence[str], found: list[tuple[Any, ...]], **more: object) -> None:
        """Show the volumes."""
        from datamoat.views.render import rows

        if self._as_json:
            listed = [dict(zip(columns, row, strict=True)) for row in found]
            self._told = {"from": made_from, **more, "volumes": listed}
        elif found:
            rows(columns, found[: self._limit], title=f"{self.quantity} by company, the largest moves first")
        else:
            typer.echo(f"nothing in {self.quantity} changes")

    def verdicts(self, found: "Verdicts") -> None:
        """Show the verdicts, and close."""
        import json

        from datamoat.views.render import rows

        if self._as_json:
            typer.echo(json.dumps(self._told | {"boards": found.boards, "answer": found.answer}, default=str, indent=1))
            return
        typer.echo()
        rows(
            list(found.boards[0]), [tuple(board.values()) for board in found.boards], title="Primary boards, as published and if"
        )
        typer.echo()
        told = [{name: value for name, value in answer.items() if name != "verdict_text"} for answer in found.answer]
        rows(list(told[0]), [tuple(answer.values()) for answer in told], title="Over boards, the newest quarter")
        typer.echo(f"If so: {found.answer[-1]['verdict_text']}")
