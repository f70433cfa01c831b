"""The commands about live sources: fetch, plan, accept, diagnose, and new-source."""

import contextlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datamoat.cli.options import AsJson
from datamoat.errors import UsageError
from datamoat.ingest.status import FetchStatus, State, Status
from datamoat.settings import Settings, read_settings
from datamoat.views.render import rows, say

if TYPE_CHECKING:
    from datamoat.ingest.outcome import FetchReport
    from datamoat.ingest.source_state import RequestState
    from datamoat.project.sources import Source

LAST_RUNS = 10
SHOWN_BYTES = 240
SHOWN_CHANGES = 40
STEPS = {
    "an empty list": "look at the publisher's page: if the list is empty there too, wait; if not, the route has died and another is needed.",
    "a truncated list": "fetch again; if it stays short, `datamoat plan` shows who is missing, and `datamoat accept` accepts it.",
    "none of the best": "look at the board: if it leads with others now, `datamoat accept` accepts it; if not, fetch again.",
    "a copy, perhaps": "compare the new rows with the publisher's page; what it shows is accepted by `datamoat accept`.",
    "one of the two is wrong": "compare both new values with the publisher's page; what it shows is accepted by `datamoat accept`.",
    "date is another for": "look at the date that the publisher's page gives; a correction is accepted by `datamoat accept`.",
    "another list": "compare by `datamoat plan`: the address may lead to another board now.",
    "an old copy": "fetch again later: a cache in between has not caught up.",
    "as if it were": "look at the publisher's note on units; if the unit changed, fix parse.py rather than accept.",
    "is not there": "the format changed: read the captured bytes, fix parse.py, then `datamoat land` reads the history again.",
    "has no": "the format changed: read the captured bytes, fix parse.py, then `datamoat land` reads the history again.",
    "an error message": "do what the message asks for (a key, a quota), then fetch again.",
    "HTML": "open the address in a browser; the page shows what the publisher now wants.",
    "HTTP": "wait and fetch again; if it stays, look at the publisher's status page.",
}


QUIET = {
    State.SILENT: "datamoat fetch {source} --request {request}",
    State.STALE: "look at the publisher's page: it may have stopped, or moved to another address.",
    State.CLOCK: "set this machine's clock, then fetch again.",
}


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(fetch)
    app.command()(plan)
    app.command()(accept)
    app.command()(diagnose)
    app.command("new-source")(new_source)


def fetch(
    source: Annotated[list[str] | None, typer.Argument(help="Sources to fetch; all that can be fetched, if left out.")] = None,
    request: Annotated[str | None, typer.Option(help="Only this request of the source.")] = None,
    archived: Annotated[
        str | None, typer.Option("--from", help="Bring in a file instead; {date} in the path brings in a history.")
    ] = None,
    on: Annotated[str | None, typer.Option(help="The day an archived file was received, YYYY-MM-DD.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would be fetched; open no socket.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch what is new from publishers, store it as received, and validate it at once.

    Example: datamoat fetch --dry-run
    """
    from datamoat.project.sources import find_source, read_sources
    from datamoat.storage.files import one_writer

    settings = read_settings()
    named = [find_source(settings.content, one) for one in source or []]
    if len(named) != 1 and (archived is not None or request is not None or on is not None):
        raise UsageError(
            "--from, --request and --on go with one source",
            "the command line",
            "datamoat fetch SOURCE --request NAME, and --from FILE --on YYYY-MM-DD to bring a file in.",
        )
    if archived is not None and request is None:
        stem = Path(archived).stem.replace("-", "_")  # text-to-video.json answers text_to_video
        request = stem if stem in named[0].fetch.requests else None
    if archived is not None and request is None:
        raise UsageError("--from needs to know what the file answers", "the command line", "add --request NAME.")
    asked = named or [one for one in read_sources(settings.content) if one.fetch.protocol != "inbox" and one.part is None]
    with contextlib.nullcontext() if dry_run else one_writer(settings.data, "fetch"):
        listed = [
            line
            for one in asked
            for line in _fetch_one(settings, one, request, archived, on, dry_run=dry_run, alone=dry_run or bool(named))
        ]
    is_good = all(FetchStatus(line[3]).is_good for line in listed)
    bad = (
        [line for line in listed if line[4] in {Status.SUSPICIOUS, Status.ERROR}]  # of the files brought in, and of no other
        if dry_run or archived is not None
        else [name for one in asked for name in _newest_bad(settings, one, {line[1] for line in listed if line[0] == one.id})]
    )
    if archived is not None and not as_json and len(listed) > LAST_RUNS:
        counted = Counter(line[4] or "known already" for line in listed)
        typer.echo(
            f"{len(listed)} responses brought in for {listed[0][0]} {listed[0][1]}: "
            + ", ".join(f"{n} {word}" for word, n in sorted(counted.items()))
        )
        listed = [line for line in listed if line[4] in {Status.SUSPICIOUS, Status.ERROR, Status.REVISION}]
    if listed or as_json:
        rows(("source", "request", "day", "response", "validation_status", "detail"), listed, as_json=as_json)
    raise typer.Exit(0 if is_good and not bad else 1)


Line = tuple[str, str, str, str, str, str]


def _fetch_one(
    settings: Settings,
    one: "Source",
    request: str | None,
    archived: str | None,
    on: str | None,
    *,
    dry_run: bool,
    alone: bool,
) -> list[Line]:
    """Fetch one source, land its responses, and return a line for each request; a source without its key does not stop others."""
    from datamoat.errors import SourceUnavailableError
    from datamoat.ingest.fetch import fetch_source
    from datamoat.ingest.inbox import bring_in
    from datamoat.ingest.land import land_source
    from datamoat.ingest.landings import read_landings

    try:
        report: FetchReport
        if archived is not None:
            report = bring_in(settings, one, str(request), archived, on)
        else:
            report = fetch_source(settings, one, request, dry_run=dry_run)
    except SourceUnavailableError as failure:
        if alone:
            raise
        return [(one.id, "", "", FetchStatus.DEFERRED, "", f"{failure.what}. {failure.fix}")]
    landed = {landing.snapshot_id: landing for landing in land_source(settings, one)[0]} if report.snapshot_ids else {}
    if archived is not None:
        landed = {landing.snapshot_id: landing for landing in read_landings(settings, one)}
    lines: list[Line] = []
    for outcome in report.outcomes:
        landing = landed.get(outcome.snapshot_id or "")
        day = outcome.snapshot_id.split("/", 3)[2] if outcome.snapshot_id else ""
        is_answer = landing is not None and outcome.what.is_good
        detail = landing.reason or outcome.detail if landing is not None and is_answer else outcome.detail
        lines.append((one.id, outcome.request, day, outcome.what, landing.validation_status if landing else "", detail))
    return lines


def plan(
    source: Annotated[str, typer.Argument(help="The source.")],
    snapshot: Annotated[str | None, typer.Argument(help="The snapshot; the newest quarantined one, if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a quarantined snapshot would change if it were served.

    Example: datamoat plan SOURCE
    """
    from datamoat.ingest.quarantine import quarantined
    from datamoat.ingest.validate import changes_of
    from datamoat.project.sources import find_source

    settings = read_settings()
    one = find_source(settings.content, source)
    landing = quarantined(settings, one, snapshot)
    if not as_json:
        typer.echo(f"{landing.snapshot_id} is {landing.validation_status}: {landing.reason}\n")
    changes = changes_of(settings, one, landing.snapshot_id)
    rows(
        ("table", "change", "key", "column", "served", "offered"),
        changes if as_json else changes[:SHOWN_CHANGES],
        as_json=as_json,
    )
    if as_json:
        return
    more = f", the first {SHOWN_CHANGES} shown (--json prints all)" if len(changes) > SHOWN_CHANGES else ""
    serve = (
        f"To serve it: datamoat accept {source} {landing.snapshot_id} --reason TEXT"
        if landing.n_rows
        else "It has no rows that could be served."
    )
    typer.echo(f"\n{len(changes)} changes{more}. {serve}")


def accept(
    source: Annotated[str | None, typer.Argument(help="The source.")] = None,
    snapshot: Annotated[str | None, typer.Argument(help="The snapshot to accept.")] = None,
    reason: Annotated[str, typer.Option(help="Why; published with who decided.")] = "",
    by: Annotated[str | None, typer.Option(help="Who decides; your user name, if left out.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep it in quarantine; an earlier acceptance no longer counts.")] = False,
    mirror: Annotated[bool, typer.Option("--mirror", help="Write every decision into the checkout, for git.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every decision as CSV, for a checkout elsewhere.")] = False,
    as_json: AsJson = False,
) -> None:
    """Accept a quarantined snapshot or changed terms of a source: record the decision beside the snapshot, with who and why.

    Example: datamoat accept SOURCE SNAPSHOT --reason "the publisher halved its list"
    """
    import getpass

    from datamoat.ingest.decisions import Choice, Decision, mirror_text, write_decision, write_mirror
    from datamoat.ingest.page_monitor import FOLDER
    from datamoat.ingest.quarantine import decide
    from datamoat.ingest.terms import find_terms
    from datamoat.project.sources import find_source
    from datamoat.storage.files import one_writer

    settings = read_settings()
    if as_csv:
        typer.echo(mirror_text(settings), nl=False)
        return
    if mirror:
        with one_writer(settings.data, "accept"):
            path, n_new = write_mirror(settings)
        what = f"{path.relative_to(settings.content)} has every decision, {n_new} of them new; commit it."
        say(what, as_json=as_json, path=path, n_new=n_new)
        return
    if not source or not snapshot:
        raise UsageError("which snapshot?", "the command line", "datamoat accept SOURCE SNAPSHOT --reason TEXT")
    if not reason.strip():
        raise UsageError("a decision needs a reason", "--reason", "state why the data are right.")
    by, at = by or getpass.getuser(), datetime.now(UTC)
    in_git = "`datamoat accept --mirror` writes the decision into the checkout for git."
    if source == FOLDER:
        terms = find_terms(settings, snapshot)
        write_decision(settings, Decision(terms.snapshot_id, terms.sha256, Choice.ACCEPT, at, by, reason))
        what = f"the terms in {terms.snapshot_id} are agreed to. {in_git}"
        say(what, as_json=as_json, snapshot_id=terms.snapshot_id, decided_by=by)
        return
    with one_writer(settings.data, "accept"):
        one = find_source(settings.content, source)
        landing, decision = decide(settings, one, snapshot, Choice.KEEP if keep else Choice.ACCEPT, by=by, reason=reason, at=at)
    say(
        f"{landing.snapshot_id} is now {landing.validation_status}, decided by {decision.decided_by}. "
        f"{'It is not used' if keep else '`datamoat run` publishes it'}; {in_git}",
        as_json=as_json, **decision.plain, validation_status=landing.validation_status,
    )  # fmt: skip


def diagnose(source: Annotated[str, typer.Argument(help="The source.")], as_json: AsJson = False) -> None:
    """Show the last runs of a source against its bounds, the first bad one, its bytes, and what to do.

    Example: datamoat diagnose SOURCE
    """
    from datamoat.ingest.land import land_source
    from datamoat.ingest.landings import read_landings
    from datamoat.ingest.source_state import states
    from datamoat.project.sources import find_source
    from datamoat.storage.snapshots import Snapshots

    settings = read_settings()
    one = find_source(settings.content, source)
    if one.part is not None:
        _diagnose_parts(settings, one, as_json=as_json)
        return
    if not read_landings(settings, one):
        land_source(settings, one)
    landings = sorted(
        read_landings(settings, one), key=lambda landing: (landing.captured_on, landing.retrieved_at, landing.snapshot_id)
    )
    table = next(iter(one.tables.values()))
    lines = []
    for landing in landings[-LAST_RUNS:]:
        bounds = one.fetch.requests[landing.request].rows or table.rows
        lines.append(
            (
                landing.captured_on.isoformat(),
                landing.request,
                landing.validation_status,
                landing.n_rows,
                f"{bounds.min} to {bounds.max or 'any'}",
                landing.n_bytes,
                landing.reason,
            )
        )
    rows(("day", "request", "validation_status", "n_rows", "expected", "n_bytes", "reason"), lines, as_json=as_json)
    standing = states(settings, [one], datetime.now(UTC).date())
    bad = [state for state in standing if state.state.is_withheld]
    if as_json:
        raise typer.Exit(1 if bad else 0)
    quiet = [state for state in standing if state.state in QUIET]
    if not landings:
        typer.echo(f"\nNothing was ever fetched or brought in: datamoat fetch {one.id}")
    for state in bad:
        first = next(
            landing
            for landing in landings
            if landing.request == state.request
            and landing.captured_on == state.since
            and not landing.validation_status.is_accepted
        )
        store = Snapshots(settings.snapshots, one.id)
        receipt = store.get(first.snapshot_id)
        served = f"data of {state.served_on} stay live" if state.served_on else "nothing is live"
        typer.echo(f"\n{state.request}: {state.state} since {state.since}; {served}.")
        typer.echo(f"  first bad:  {first.snapshot_id}\n  why:        {first.reason}")
        typer.echo(f"  bytes:      data/snapshots/{receipt.body}")
        begins = store.body(receipt)[:SHOWN_BYTES].decode(errors="replace")
        typer.echo("  begins:     " + "".join(character if character.isprintable() else " " for character in begins))
        if state.snapshot_id != first.snapshot_id and state.reason != first.reason:
            typer.echo(f"  newest bad: {state.snapshot_id}\n  why:        {state.reason}")
        typer.echo("  next step:  " + _next_step(state))
    for state in quiet:
        typer.echo(f"\n{state.request}: {state.state} since {state.since}; {state.reason}.")
        typer.echo("  next step:  " + QUIET[state.state].format(source=one.id, request=state.request))
    if landings and not (bad or quiet):
        typer.echo("\nAll requests are served; nothing to do.")
    raise typer.Exit(1 if bad else 0)


def _diagnose_parts(settings: Settings, source: "Source", *, as_json: bool) -> None:
    """Show the last parts of a streamed source, which have counts and no landings."""
    from datamoat.ingest.part_receipts import snapshot_rows, stale

    columns = ("captured_on", "snapshot_id", "is_served", "n_rows", "n_bytes", "reason")
    parts = snapshot_rows(settings, source)
    if parts or as_json:
        rows(columns, [tuple(str(part[name]) if name == "captured_on" else part[name] for name in columns)
                       for part in parts[-LAST_RUNS:]], as_json=as_json)  # fmt: skip
    if as_json:
        return
    is_fetched = source.part is not None and source.part.max_gigabytes > 0
    step = f"datamoat count {source.id}" if is_fetched else f"datamoat add-file {source.id} PATH"
    old = stale(settings, source)
    if not parts:
        typer.echo(f"No part was ever counted: {step}")
    elif old:
        typer.echo(f"\n{len(old)} parts are counted under another definition and not served: {step}")
    else:
        typer.echo(f"\nAll parts are served but for older counts of the same; nothing to do. For more: {step}")


def new_source(
    name: Annotated[str, typer.Argument(metavar="ID", help="Publisher and product, as publisher_product.")],
    as_json: AsJson = False,
) -> None:
    """Write the folder of a new source, ready to be filled in.

    Example: datamoat new-source example_board
    """
    from datamoat.project.scaffold import write_source

    settings = read_settings()
    folder = write_source(settings, name)
    say(
        f"wrote {folder.relative_to(settings.content)}/: fill source.yml, put the shape of one real response into sample/, write parse.py until\n"
        "`pytest tests/unit/test_samples.py` passes, name new columns in transforms/columns.yml, then `make check`.",
        as_json=as_json, folder=folder,
    )  # fmt: skip


def _next_step(state: "RequestState") -> str:
    """Say what to do about the newest response that is not accepted; an error has no rows to be accepted."""
    for sign, step in STEPS.items():
        if sign in state.reason:
            return step
    if state.state == State.QUARANTINED:
        return f"datamoat plan {state.source_id}, then accept it or fix the source."
    return "read the captured bytes, fix parse.py, then `datamoat land` reads the history again."


def _newest_bad(settings: Settings, source: "Source", requests: set[str]) -> list[str]:
    """Return the requests whose newest snapshot is not accepted."""
    from datamoat.ingest.source_state import states

    return [
        state.request
        for state in states(settings, [source], datetime.now(UTC).date())
        if state.request in requests and state.state.is_withheld
    ]
