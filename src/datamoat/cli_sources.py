"""The commands about live sources: fetch, plan, accept, diagnose, new-source, and the list of requests."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from datamoat.errors import SourceChangedError, UsageError
from datamoat.render import rows
from datamoat.settings import Settings, read_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
LAST_RUNS = 10
SHOWN_BYTES = 240
SHOWN_CHANGES = 40
STEPS = {
    "an empty list": "look at the publisher's page: if the list is empty there too, wait; if not, the route has died and another is needed.",
    "a truncated list": "fetch again; if it stays short, `datamoat plan` shows who is missing, and `datamoat accept` lets it in.",
    "another list": "compare by `datamoat plan`: the address may lead to another board now.",
    "an old copy": "fetch again later: a cache in between has not caught up.",
    "as if it were": "look at the publisher's note on units; if the unit changed, mend parse.py rather than accept.",
    "is not there": "the format changed: read the captured bytes, mend parse.py, then `datamoat land` reads history anew.",
    "has no": "the format changed: read the captured bytes, mend parse.py, then `datamoat land` reads history anew.",
    "an error message": "do what the message says (a key, a quota), then fetch again.",
    "HTML": "open the address in a browser; the page says what the publisher now wants.",
    "HTTP": "wait and fetch again; if it stays, look at the publisher's status page.",
}


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(fetch)
    app.command()(plan)
    app.command()(accept)
    app.command()(diagnose)
    app.command("new-source")(new_source)


def fetch(
    source: Annotated[list[str] | None, typer.Argument(help="Sources to ask; all that can be asked, if left out.")] = None,
    request: Annotated[str | None, typer.Option(help="Only this request of the source.")] = None,
    archived: Annotated[str | None, typer.Option("--from", help="Bring in a file instead; {date} in the path brings in a history.")] = None,
    on: Annotated[str | None, typer.Option(help="The day an archived file was received, YYYY-MM-DD.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked; open no socket.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask publishers for what is new, store it as received, and say at once whether it is to be believed.

    Example: datamoat fetch aa_api --request text_to_video --dry-run
    """
    from datamoat.durable import one_writer
    from datamoat.errors import DatamoatError
    from datamoat.fetch import bring_in, fetch_source
    from datamoat.land import land_source
    from datamoat.sources import find_source, read_sources

    settings = read_settings()
    sources = [find_source(settings.content, one) for one in source or []]
    if archived is not None and (len(sources) != 1 or request is None):
        raise UsageError("--from takes one source and one request", "the command line", "datamoat fetch SOURCE --from FILE --request NAME --on YYYY-MM-DD")
    if (request is not None or on is not None) and len(sources) != 1:
        raise UsageError("--request and --on go with one source", "the command line", "name the source.")
    everything = not sources
    sources = sources or [one for one in read_sources(settings.content) if one.fetch.protocol != "inbox"]
    told: list[tuple[str, str, str, str, str, str]] = []
    is_good = True

    def ask() -> None:
        nonlocal is_good
        for one in sources:
            try:
                if archived is not None:
                    report = bring_in(settings, one, str(request), archived, on)
                else:
                    report = fetch_source(settings, one, request, dry_run=dry_run)
            except DatamoatError as failure:
                if not everything:
                    raise
                told.append((one.id, "", "", "deferred", "", f"{failure.what}. {failure.fix}"))
                is_good = False
                continue
            verdicts = {}
            if report.snapshot_ids:
                verdicts = {landing.snapshot_id: landing for landing in land_source(settings, one)[0]}
            for outcome in report.outcomes:
                landing = verdicts.get(outcome.snapshot_id or "")
                detail = landing.reason or outcome.detail if landing and outcome.what in {"new", "unchanged"} else outcome.detail
                day = outcome.snapshot_id.split("/")[2] if outcome.snapshot_id else ""
                told.append((one.id, outcome.request, day, outcome.what, landing.verdict if landing else "", detail))
                is_good = is_good and (outcome.what in {"new", "unchanged", "planned"})
            newest = _newest_bad(settings, one, {outcome.request for outcome in report.outcomes}) if not dry_run else []
            is_good = is_good and not newest

    if dry_run:
        ask()
    else:
        with one_writer(settings.data, "fetch"):
            ask()
    if archived is not None and not as_json and len(told) > LAST_RUNS:
        counted: dict[str, int] = {}
        for *_, verdict, _ in told:
            counted[verdict or "known"] = counted.get(verdict or "known", 0) + 1
        typer.echo(f"{len(told)} answers brought in for {told[0][0]} {told[0][1]}: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(counted.items())))
        told = [line for line in told if line[4] in {"suspicious", "error", "revision"}]
    if told:
        rows(("source", "request", "day", "answer", "verdict", "detail"), told, as_json=as_json)
    elif as_json:
        rows(("source",), [], as_json=True)
    raise typer.Exit(0 if is_good else 1)


def plan(
    source: Annotated[str, typer.Argument(help="The source.")],
    snapshot: Annotated[str | None, typer.Argument(help="The snapshot; the newest quarantined one, if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a quarantined snapshot would change if it were served.

    Example: datamoat plan aa_api
    """
    from datamoat.land import changes_of

    settings = read_settings()
    one, landing = _quarantined(settings, source, snapshot)
    if not as_json:
        typer.echo(f"{landing.snapshot_id} is {landing.verdict}: {landing.reason}\n")
    changes = changes_of(settings, one, landing.snapshot_id)
    rows(("table", "change", "key", "column", "served", "offered"), changes if as_json else changes[:SHOWN_CHANGES], as_json=as_json)
    if as_json:
        return
    more = f", the first {SHOWN_CHANGES} shown (--json prints all)" if len(changes) > SHOWN_CHANGES else ""
    serve = f"To serve it: datamoat accept {source} {landing.snapshot_id} --reason TEXT" if landing.n_rows else "It has no rows that could be served."
    typer.echo(f"\n{len(changes)} changes{more}. {serve}")


def accept(
    source: Annotated[str, typer.Argument(help="The source.")],
    snapshot: Annotated[str, typer.Argument(help="The snapshot to let in.")],
    reason: Annotated[str, typer.Option(help="Why it is to be believed; kept in git.")],
) -> None:
    """Let a quarantined snapshot in, and keep the decision as a line that git keeps.

    Example: datamoat accept aa_api aa_api/text_to_video/2026-11-24/0123456789ab --reason "the board was halved, says the publisher"
    """
    from datamoat.accepted import Acceptance, write_acceptance
    from datamoat.durable import one_writer
    from datamoat.land import land_source

    settings = read_settings()
    if not reason.strip():
        raise UsageError("an acceptance needs a reason", "--reason", "say what makes you believe it.")
    with one_writer(settings.data, "accept"):
        one, landing = _quarantined(settings, source, snapshot)
        entry = Acceptance(landing.snapshot_id, one.id, landing.request, landing.sha256, datetime.now(UTC).date(), " ".join(reason.split()))
        path = write_acceptance(settings, entry)
        landed, _ = land_source(settings, one)
    verdict = next((found.verdict for found in landed if found.snapshot_id == landing.snapshot_id), "?")
    typer.echo(f"{landing.snapshot_id} is now {verdict}; written to {path.relative_to(settings.content)}. Commit that file, then run `datamoat run`.")


def diagnose(source: Annotated[str, typer.Argument(help="The source.")], as_json: AsJson = False) -> None:
    """Show the last runs of a source against its bounds, the first bad one, its bytes, and what to do.

    Example: datamoat diagnose aa_api
    """
    from datamoat.land import land_source, read_landings, states
    from datamoat.snapshots import Snapshots
    from datamoat.sources import find_source

    settings = read_settings()
    one = find_source(settings.content, source)
    if not read_landings(settings, one):
        land_source(settings, one)
    landings = sorted(read_landings(settings, one), key=lambda landing: (landing.captured_on, landing.retrieved_at, landing.snapshot_id))
    table = next(iter(one.tables.values()))
    lines = []
    for landing in landings[-LAST_RUNS:]:
        bounds = one.fetch.requests[landing.request].rows or table.rows
        lines.append((landing.captured_on.isoformat(), landing.request, landing.verdict, landing.n_rows, f"{bounds.min} to {bounds.max or 'any'}", landing.n_bytes, landing.reason))
    rows(("day", "request", "verdict", "n_rows", "expected", "n_bytes", "reason"), lines, as_json=as_json)
    if as_json:
        return
    bad = [state for state in states(settings, [one], datetime.now(UTC).date()) if state.state in {"quarantined", "failing"}]
    if not landings:
        typer.echo(f"\nNothing was ever fetched or brought in: datamoat fetch {one.id}")
    for state in bad:
        first = next(landing for landing in landings if landing.request == state.request and landing.captured_on == state.since and landing.verdict in {"suspicious", "error"})
        shelf = Snapshots(settings.snapshots, one.id)
        receipt = shelf.get(first.snapshot_id)
        served = f"data of {state.served_on} stay live" if state.served_on else "nothing is live"
        typer.echo(f"\n{state.request}: {state.state} since {state.since}; {served}.")
        typer.echo(f"  first bad:  {first.snapshot_id}\n  why:        {first.reason}")
        typer.echo(f"  bytes:      data/snapshots/{receipt.body}")
        begins = shelf.body(receipt)[:SHOWN_BYTES].decode(errors="replace")
        typer.echo("  begins:     " + "".join(character if character.isprintable() else " " for character in begins))
        typer.echo("  next step:  " + next((step for sign, step in STEPS.items() if sign in first.reason), f"datamoat plan {one.id}, then accept it or mend the source."))
    if landings and not bad:
        typer.echo("\nAll requests are served; nothing to do.")
    raise typer.Exit(1 if bad else 0)


def new_source(name: Annotated[str, typer.Argument(metavar="ID", help="Publisher and product, as publisher_product.")]) -> None:
    """Write the folder of a new source, ready to be filled in.

    Example: datamoat new-source example_board
    """
    from datamoat.scaffold import write_source

    settings = read_settings()
    folder = write_source(settings, name)
    typer.echo(f"wrote {folder.relative_to(settings.content)}/: fill source.yml, put one real answer's shape into sample/, write parse.py until")
    typer.echo("`pytest tests/unit/test_samples.py` passes, name new columns in transforms/columns.yml, then `make check`.")


def show_sources(*, as_json: bool = False) -> None:
    """Print every request of every source and how it stands."""
    from datamoat.land import states
    from datamoat.sources import read_sources

    settings = read_settings()
    sources = read_sources(settings.content)
    standing = {(state.source_id, state.request): state for state in states(settings, sources, datetime.now(UTC).date())}
    lines = []
    for one in sources:
        for name, request in one.fetch.requests.items():
            state = standing[one.id, name]
            how = one.fetch.protocol if request.live else "inbox"
            lines.append((one.id, name, how, one.fetch.every, state.state, str(state.since or ""), str(state.served_on or ""), request.about))
    rows(("source", "request", "protocol", "every", "state", "since", "served", "about"), lines, as_json=as_json)


def _quarantined(settings: Settings, source: str, snapshot: str | None):  # noqa: ANN202  (Source and Landing, imported late)
    """Return a source and one landing of it that is suspicious.

    Raises:
        UsageError: There is none, or the one named is not quarantined.
        SourceChangedError: It could not be read, so there is nothing to serve.
    """
    from datamoat.land import land_source, read_landings
    from datamoat.snapshots import Snapshots
    from datamoat.sources import find_source

    one = find_source(settings.content, source)
    land_source(settings, one)
    landings = {landing.snapshot_id: landing for landing in sorted(read_landings(settings, one), key=lambda landing: (landing.captured_on, landing.retrieved_at))}
    if snapshot is None:
        waiting = [landing for landing in landings.values() if landing.verdict == "suspicious"]
        if not waiting:
            raise UsageError(f"{source} has nothing in quarantine", f"data/snapshots/{source}", f"`datamoat diagnose {source}` shows its last runs.")
        return one, waiting[-1]
    landing = landings[Snapshots(settings.snapshots, one.id).get(snapshot).snapshot_id]
    if landing.verdict == "error" or (landing.verdict == "suspicious" and landing.n_rows == 0):
        raise SourceChangedError(f"{landing.snapshot_id} holds no rows that could be served: {landing.reason}", f"data/snapshots/{source}", f"`datamoat diagnose {source}` says what to do.")
    if landing.verdict != "suspicious":
        raise UsageError(f"{landing.snapshot_id} is not in quarantine: its verdict is {landing.verdict}", f"data/snapshots/{source}", "there is nothing to accept.")
    return one, landing


def _newest_bad(settings: Settings, source, requests: set[str]) -> list[str]:  # noqa: ANN001
    """Return the requests whose newest snapshot is not to be believed."""
    from datamoat.land import states

    return [state.request for state in states(settings, [source], datetime.now(UTC).date()) if state.request in requests and state.state in {"quarantined", "failing"}]
