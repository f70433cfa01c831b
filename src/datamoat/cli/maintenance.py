"""The commands for those who maintain: check, docs, doctor, notify."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from datamoat.cli.options import AsJson
from datamoat.settings import read_settings
from datamoat.views.render import rows, say


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(check)
    app.command()(doctor)
    app.command()(notify)

    @app.command()
    def docs(as_json: AsJson = False) -> None:
        """Write the generated pages of docs/, and the output of each command shown in the others, from the published file.

        Example: datamoat docs
        """
        from datamoat.views.docs import write_docs

        n_pages, n_refreshed = write_docs(read_settings(), app)
        say(
            f"{n_pages} pages written, the output of commands in {n_refreshed} refreshed",
            as_json=as_json, n_pages=n_pages, n_refreshed=n_refreshed,
        )  # fmt: skip


def check(as_json: AsJson = False) -> None:
    """Check everything that can be known without building: files, names, graph, dictionary, reference rows.

    Example: datamoat check
    """
    from datamoat.build.bind import bind_models
    from datamoat.ingest.part_receipts import counts_sql
    from datamoat.project.read import read_project
    from datamoat.project.reference import read_reference
    from datamoat.project.rules import check_rules
    from datamoat.project.scaffold import check_filled
    from datamoat.project.sources import read_sources
    from datamoat.publish.audit import check_tables_exist

    settings = read_settings()
    project = read_project(settings.content)
    check_tables_exist(project)
    facts = read_reference(settings.reference)
    today = datetime.now(UTC).date()
    n_rules = check_rules(settings.reference, facts, today)
    sources = read_sources(settings.content)
    for source in sources:
        check_filled(source)
        if source.part is not None:
            counts_sql(source)
    n_bound = bind_models(settings, project, sources, facts, today)
    n_rows = sum(fact.frame.height for fact in facts)
    say(
        f"{len(project.models)} models ({n_bound} bound), {n_rules} rules, {len(project.columns)} columns, {len(project.checks)} checks,"
        f" {len(sources)} sources, {n_rows:,} reference rows: all in order",
        as_json=as_json, n_models=len(project.models), n_bound=n_bound, n_rules=n_rules, n_columns=len(project.columns),
        n_checks=len(project.checks), n_sources=len(sources), n_reference_rows=n_rows,
    )  # fmt: skip


def doctor(as_json: AsJson = False) -> None:
    """Look at the machine and the files, and report what to do about anything wrong; exits 1 if something is.

    Example: datamoat doctor
    """
    from datamoat.views.status import examine

    findings = examine(read_settings())
    rows(("is_good", "what", "fix"), [(good, what, "" if good else fix) for good, what, fix in findings], as_json=as_json)
    raise typer.Exit(0 if all(good for good, *_ in findings) else 1)


def notify(
    test: Annotated[bool, typer.Option("--test", help="Send a line to every channel that is configured.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which channels alerts are sent to; with --test, send one and report which took it.

    Example: datamoat notify --test
    """
    from datamoat.orchestration import notify

    taken = notify.alert("a test: alerts arrive here", is_good=True) if test else []
    pinged = test and notify.ping()
    listed, incomplete = [], notify.incomplete()
    for channel, is_set in notify.channels().items():
        took = pinged if channel == "ping" else channel in taken
        listed.append(
            (
                channel,
                (f"INCOMPLETE: set {incomplete[channel]}" if channel in incomplete else "not set")
                if not is_set
                else ("took it" if took else "REFUSED")
                if test
                else "set",
                notify.CHANNELS[channel],
            )
        )
    rows(("channel", "state", "variables"), listed, as_json=as_json)
    raise typer.Exit(1 if incomplete or any(state == "REFUSED" for _, state, _ in listed) else 0)
