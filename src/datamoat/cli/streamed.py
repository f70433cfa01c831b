"""The commands about streamed sources: count, and add-file."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from datamoat.cli.options import AsJson, day_option
from datamoat.errors import SourceUnavailableError, UsageError
from datamoat.settings import read_settings

if TYPE_CHECKING:
    from datamoat.ingest.counting import Engine
    from datamoat.ingest.part_receipts import PartReceipt

EngineName = Annotated[str, typer.Option("--engine", help="duckdb, on this machine; spark, for Parquet that lies in a cluster.")]
Remote = Annotated[str | None, typer.Option(help="A Spark Connect server, sc://HOST:15002.")]
SHOWN = ("part", "day", "captured", "n_listed", "n_counted", "n_rejected", "cut", "engine")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(count)
    app.command("add-file")(add_file)


def count(
    source: Annotated[str, typer.Argument(help="A streamed source.")],
    since: Annotated[date | None, day_option(help="First day to fetch; what is due, if left out.")] = None,
    until: Annotated[date | None, day_option(help="Last day to fetch; the first day, if left out.")] = None,
    engine: EngineName = "duckdb",
    remote: Remote = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what is due; open no socket.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch the parts of a streamed source that are due and store their counts; of the parts themselves nothing stays.

    Example: datamoat count SOURCE --since 2025-06-01 --until 2025-06-30
    """
    from datamoat.ingest.part_receipts import stale
    from datamoat.ingest.streamed import Due, fetch_and_count, parts_due
    from datamoat.project.sources import find_source
    from datamoat.views.render import rows

    settings = read_settings()
    one = find_source(settings.content, source)
    first, last = since, until or since
    if (first is None) != (last is None):
        raise UsageError("--until goes with --since", "the command line", "give the first day too.")
    if first is not None and last is not None and first > last:
        raise UsageError(f"--since {first} is after --until {last}", "the command line", "give the earlier day with --since.")
    now = datetime.now(UTC)
    due = parts_due(settings, one, now.date())
    if first is not None and last is not None:
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        due = [Due(request, day) for day in days for request in one.fetch.requests]
    if dry_run:
        rows(("request", "day"), [(entry.request, entry.part_on.isoformat()) for entry in due], as_json=as_json)
        return
    counted: list[PartReceipt] = []
    missing: list[str] = []
    for entry in due:
        try:
            counted.append(fetch_and_count(settings, one, entry, now, engine=_engine(engine, remote), remote=remote))
        except SourceUnavailableError as failure:  # the others may be there
            missing.append(f"{entry.part_on}: {failure.what}")
    if one.part is not None and one.part.max_gigabytes == 0:
        missing += [f"{part.part}: counted under another definition; add the file again" for part in stale(settings, one)]
    if counted or as_json or not missing:
        _print(counted, as_json=as_json)
    for line in missing:
        typer.echo(line, err=True)
    raise typer.Exit(1 if missing else 0)


def add_file(
    source: Annotated[str, typer.Argument(help="A streamed source.")],
    path: Annotated[str, typer.Argument(help="A file, or a folder of files; read where it lies, never copied.")],
    on: Annotated[date | None, day_option(help="The day the file is about, where its name does not say it.")] = None,
    label: Annotated[str | None, typer.Option(help="The set the file belongs to.")] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of that set.")] = None,
    engine: EngineName = "duckdb",
    remote: Remote = None,
    as_json: AsJson = False,
) -> None:
    """Count a file that you hold and store the counts; of the file itself nothing stays.

    Example: datamoat add-file SOURCE sor-global-2025-07-01-full.zip
    """
    from datamoat.ingest import streamed
    from datamoat.project.sources import find_source

    settings = read_settings()
    one = find_source(settings.content, source)
    counted = streamed.add_file(
        settings, one, path, datetime.now(UTC), on=on, label=label, licence=licence, engine=_engine(engine, remote), remote=remote
    )  # fmt: skip
    _print(counted, as_json=as_json)


def _engine(name: str, remote: str | None) -> "Engine":
    """Return the engine by name; Spark needs the address of a server.

    Raises:
        UsageError: Another engine, or one without its server.
    """
    if name == "duckdb" and remote is None:
        return "duckdb"
    if name == "spark" and remote is not None and remote.startswith("sc://"):
        return "spark"
    raise UsageError(
        f"--engine {name} with --remote {remote}",
        "the command line",
        "use --engine duckdb, or --engine spark --remote sc://HOST:15002.",
    )


def _print(counted: "list[PartReceipt]", *, as_json: bool) -> None:
    from datamoat.views.render import rows

    lines = [
        (
            one.part,
            str(one.part_on or ""),
            str(one.captured_on),
            one.n_listed,
            one.n_counted,
            one.n_rejected,
            one.is_cut,
            one.engine,
        )
        for one in counted
    ]
    rows(SHOWN, lines, as_json=as_json)
