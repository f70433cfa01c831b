"""The commands of the pipeline: run, land, build, audit, publish, rollback."""

from typing import Annotated

import typer

from datamoat.cli.options import AsJson, AsOf, program, shown
from datamoat.settings import read_settings
from datamoat.views.render import rows, say


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (run, land, build, audit, publish, rollback):
        app.command()(command)


def run(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Land, build, audit and publish what is here; uses no network.

    Example: datamoat run
    """
    from datamoat.publish.refresh import refresh
    from datamoat.storage.files import one_writer
    from datamoat.storage.warehouse import open_published
    from datamoat.views.sections import RUN, print_sections, read_sections

    settings = read_settings()
    with one_writer(settings.data, "run"):
        published = refresh(settings, as_of)
    with open_published(settings) as con:
        sections = read_sections(con, settings.content / RUN)
    if as_json:
        listed = [{"title": section.title, "rows": section.records} for section in sections]
        say("", as_json=True, build_id=published.build_id, as_of=published.as_of, path=settings.published, sections=listed)
        return
    typer.echo()
    print_sections(sections)
    typer.echo(f'\nThe file: {shown(settings.published)}\nQuery it: {program()} show, then {program()} query "from marts.…"')


def land(as_json: AsJson = False) -> None:
    """Read every snapshot and reference file; refuse what is malformed.

    Example: datamoat land
    """
    from datamoat.ingest.land import land_all
    from datamoat.project.reference import read_reference
    from datamoat.project.sources import read_sources
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "land"):
        facts = read_reference(settings.reference)
        report = land_all(settings, read_sources(settings.content))
    n_rows = sum(fact.frame.height for fact in facts)
    say(
        f"{len(facts)} reference files with {n_rows:,} rows; {report}",
        as_json=as_json, n_files=len(facts), n_rows=n_rows, landings=str(report),
    )  # fmt: skip


def build(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Build every table from the reference facts and the snapshots that are here.

    Example: datamoat build --as-of 2026-05-15
    """
    from datamoat.build.run import build_models
    from datamoat.project.read import read_project
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "build"):
        made = build_models(settings, read_project(settings.content), as_of)
    say(
        f"build {made.build_id}: {len(made.tables)} tables, as of {made.as_of}",
        as_json=as_json, build_id=made.build_id, as_of=made.as_of, n_tables=len(made.tables),
    )  # fmt: skip


def audit(as_json: AsJson = False) -> None:
    """Run every check on the build in the lake.

    Example: datamoat audit --json
    """
    from datamoat.project.read import read_project
    from datamoat.publish.audit import audit_build
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "audit"):
        checked = audit_build(settings, read_project(settings.content))
    listed = [(r.table_name, r.kind, r.check_name, r.reason, r.n_offending, r.offending) for r in checked.warnings]
    rows(("table_name", "kind", "check_name", "reason", "n_offending", "offending"), listed, as_json=as_json)
    if not as_json:
        typer.echo(f"{len(checked.results)} checks, {len(checked.warnings)} warnings, none critical.")


def publish(as_json: AsJson = False) -> None:
    """Publish the audited build: readers open it from now on.

    Example: datamoat publish
    """
    from datamoat.project.read import read_project
    from datamoat.publish.warehouse import publish_warehouse
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "publish"):
        published = publish_warehouse(settings, read_project(settings.content))
    say(
        f"build {published.build_id} is in {shown(settings.published)}" + ("" if published.is_new else " already"),
        as_json=as_json, build_id=published.build_id, as_of=published.as_of, path=settings.published, is_new=published.is_new,
    )  # fmt: skip


def rollback(
    build_id: Annotated[str | None, typer.Argument(help="Which build; the one before if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish an earlier build again.

    Example: datamoat rollback
    """
    from datamoat.publish import warehouse
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "rollback"):
        published = warehouse.rollback(settings, build_id)
    say(
        f"build {published.build_id} (as of {published.as_of}) is in {shown(settings.published)} again",
        as_json=as_json, build_id=published.build_id, as_of=published.as_of, path=settings.published,
    )  # fmt: skip
