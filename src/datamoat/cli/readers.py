"""The commands for readers: pull, status, show, query, diff, answer, forecast, trace, report, site, export, verify."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from datamoat.cli.options import AsJson, Where, day_option, program, shown
from datamoat.errors import UsageError
from datamoat.settings import read_settings
from datamoat.views.render import Form, print_as, rows, say, text_of

UNKNOWN = 3  # the exit code of a release that is whole and whose checksum nobody here knows
SHOWN = 200  # rows a query prints unless --limit changes it
Day = Annotated[date | None, day_option("--on", help="The day of the release; today if left out.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (pull, status, show, query, diff, answer, forecast, trace, report, site, export, verify):
        app.command()(command)


def pull(
    source: Annotated[str, typer.Argument(metavar="URL|FOLDER", help="A release, or the place whose latest/ is one.")],
    checksum: Annotated[str | None, typer.Option(help="The checksum somebody wrote down elsewhere, to compare with.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a release, compare its hashes, and make it the file that is read here; exits 3 if nobody here knows its checksum.

    Example: datamoat pull data/exports/site
    """
    from datamoat.release.pull import pull as fetch_release
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "pull"):
        published = fetch_release(settings, source, checksum)
    unknown = published.unknown_checksum
    say(
        f"build {published.build_id}, as of {published.as_of}, {published.n_bytes / 1e6:.0f} MB, is in {shown(settings.published)}"
        + ("" if published.is_new else " already")
        + (f"\nno register here knows its checksum {unknown}: compare it with the one that was published" if unknown else "")
        + f"\nNext: {program()} answer, or {program()} show",
        as_json=as_json, build_id=published.build_id, as_of=published.as_of, path=settings.published, is_new=published.is_new,
        is_known=not unknown,
    )  # fmt: skip
    raise typer.Exit(UNKNOWN if unknown else 0)


def status(as_json: AsJson = False) -> None:
    """Report what is published, the state of the sources, and the warnings of the audit; exits 1 if degraded.

    Example: datamoat status
    """
    from datamoat.views.status import read_status

    found = read_status(read_settings())
    typer.echo(json.dumps(found.facts, default=str, indent=1) if as_json else "\n".join(found.lines))
    raise typer.Exit(0 if found.is_good else 1)


def show(
    table: Annotated[str | None, typer.Argument(help="A mart, or meta.<table>; all tables if left out.")] = None,
    as_json: AsJson = False,
    sources: Annotated[bool, typer.Option("--sources", help="List every request of every live source, with its state.")] = False,
) -> None:
    """List the tables, or describe one of them: what a row is, and each column.

    Example: datamoat show meta.columns
    """
    from datamoat.storage.warehouse import open_published
    from datamoat.views.query import describe_table, list_tables
    from datamoat.views.status import list_requests

    settings = read_settings()
    if sources:
        rows(*list_requests(settings), as_json=as_json)
        return
    with open_published(settings) as con:
        if table is None:
            rows(*list_tables(con, in_full=as_json), as_json=as_json)
            return
        name, description, columns = describe_table(con, table)
    if as_json:
        rows(*columns, as_json=True)
        return
    typer.echo(f"{name}\n{description}\n")
    rows(*columns)
    typer.echo(f'\nTry: {program()} query "from {name} limit 5"')


def query(
    sql: Annotated[str, typer.Argument(help="One statement (`from meta.models` is enough), a file that ends in .sql, or -.")],
    as_json: AsJson = False,
    form: Annotated[Form, typer.Option("--format", help="How to print the rows.")] = Form.TABLE,
    limit: Annotated[
        int | None, typer.Option(min=0, help=f"Print at most this many rows; 0 prints all. {SHOWN} in a table, else all.")
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, help="Stop a query that runs longer.")] = 60,
    as_of: Annotated[date | None, day_option("--as-of", help="Query the release that was current on that day.")] = None,
    rebuild_as_of: Annotated[
        date | None, day_option("--rebuild-as-of", help="Query what today's models compute from what was public on that day.")
    ] = None,
) -> None:
    """Query the published file; it is opened for reading only, and nothing else can be reached from it.

    Example: datamoat query "select table_name, n_rows from meta.models" --format csv
    """
    from datamoat.views.query_child import Query, run_apart, statement_of

    form = Form.JSON if as_json else form
    if form is Form.PARQUET and sys.stdout.isatty():
        raise UsageError("Parquet is not text", "--format parquet", "write it to a file: add > rows.parquet.")
    most = (SHOWN if form in {Form.TABLE, Form.MARKDOWN} else 0) if limit is None else limit
    statement = statement_of(sql, sys.stdin.read)
    found = run_apart(read_settings(), Query(statement, most, seconds, as_of, rebuild_as_of))
    print_as(form, found.columns, found.types, found.rows[: most or None])
    if most and len(found.rows) > most:
        typer.echo(f"… more rows than {most}; --limit 0 prints all", err=True)


def diff(
    before: Annotated[str | None, typer.Argument(help="A retained build's id; the one published before, if left out.")] = None,
    table: Annotated[str | None, typer.Option(help="Print the rows of this mart that differ.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many rows.")] = 50,
    working: Annotated[bool, typer.Option("--working", help="Compare the newest `datamoat build`, not yet published.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the published marts with those of an earlier build, or the newest build with them, row by row.

    Example: datamoat diff --json
    """
    from datamoat.publish.diff import compare_builds

    sentence, found = compare_builds(read_settings(), before, table, limit, working=working)
    if not as_json:
        typer.echo(sentence)
    rows(*found, as_json=as_json)


def answer(as_json: AsJson = False) -> None:
    """Print the answer to the question of this content tree, as its folder reports/answer declares it.

    Example: datamoat answer
    """
    from datamoat.storage.warehouse import open_published
    from datamoat.views.sections import print_sections, read_answer, read_answer_object

    settings = read_settings()
    with open_published(settings) as con:
        if as_json:
            typer.echo(json.dumps(read_answer_object(con, settings.content), default=str, ensure_ascii=False, indent=1))
            return
        sections = read_answer(con, settings.content)
    print_sections(sections)


def forecast(as_json: AsJson = False) -> None:
    """Print the forecasts issued with the published file and how earlier ones scored, as reports/forecast declares them.

    Example: datamoat forecast
    """
    from datamoat.storage.warehouse import open_published
    from datamoat.views.sections import FORECAST, print_sections, read_sections

    settings = read_settings()
    with open_published(settings) as con:
        sections = read_sections(con, settings.content / FORECAST)
    if not sections:
        raise UsageError("this content tree declares no forecast", str(settings.content / FORECAST), "write a section there.")
    if as_json:
        listed = [{"title": section.title, "rows": section.records} for section in sections]
        typer.echo(json.dumps(listed, default=str, ensure_ascii=False, indent=1))
    else:
        print_sections(sections)


def trace(
    number: Annotated[str, typer.Argument(metavar="TABLE.COLUMN", help="The number: a mart and one of its columns.")],
    where: Where = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Show every input, not the first dozen.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what one published number is computed from: values as stated, pages, assumptions, files.

    Example: datamoat trace TABLE.COLUMN --where COLUMN=VALUE
    """
    from dataclasses import asdict

    from datamoat.storage.warehouse import open_published
    from datamoat.views.trace import drawn, trace_number

    with open_published(read_settings()) as con:
        found = trace_number(con, number, where or [])
    typer.echo(
        json.dumps(asdict(found), default=str, ensure_ascii=False, indent=1) if as_json else drawn(found, 0 if every else 12)
    )


def report(
    to: Annotated[Path | None, typer.Option(help="The folder to put it in; data/exports/report if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the report from the published file: one HTML page that loads nothing, and each chart as PNG and SVG.

    Example: datamoat report --to report
    """
    from datamoat.views.report import write_report

    made = write_report(read_settings(), to)
    n_bytes = made.page.stat().st_size
    say(
        f"{shown(made.page)}: {made.n_panels} charts, {n_bytes / 1e6:.1f} MB; PNG and SVG in {shown(made.page.parent / 'charts')}",
        as_json=as_json, page=made.page, n_panels=made.n_panels, n_bytes=n_bytes,
    )  # fmt: skip


def site(
    to: Annotated[Path | None, typer.Option(help="The folder to put it in; data/exports/site if left out.")] = None,
    address: Annotated[str | None, typer.Option(help="Where it will be served, for canonical links and the feed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the site from the published file: static pages with charts, tables and the file itself, for any host or none.

    Example: datamoat site --to site
    """
    from datamoat.views.site import write_site

    made = write_site(read_settings(), to, address)
    n_bytes = sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())
    engine = "" if made.has_sql else "; the page of SQL has no engine, `make site` fetches it with npm"
    say(
        f"{shown(made.folder)}: {made.n_pages} pages, {made.n_files:,} files, {n_bytes / 1e6:,.0f} MB; open index.html{engine}",
        as_json=as_json, folder=made.folder, n_pages=made.n_pages, n_files=made.n_files, n_bytes=n_bytes, has_sql=made.has_sql,
    )  # fmt: skip


def export(
    to: Annotated[Path | None, typer.Option(help="The folder to put it in; data/exports if left out.")] = None,
    *,
    release: Annotated[bool, typer.Option("--release", help="Make the full, dated bundle and keep it for good.")] = False,
    on: Day = None,
    record: Annotated[bool, typer.Option("--record", help="Write the checksum into data/releases.csv, to be committed.")] = False,
    force: Annotated[bool, typer.Option(help="Replace a folder of the same name.")] = False,
    include_licensed: Annotated[
        bool, typer.Option("--include-licensed", help="Write tables under a licence that you stated for a file of yours, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the published marts as Parquet and CSV; with --release, everything a reader in five years needs.

    Example: datamoat export --release --to releases
    """
    from datamoat.storage.files import one_writer

    settings = read_settings()
    if not release:
        from datamoat.release.tables import export_tables

        with one_writer(settings.data, "export"):
            folder = export_tables(settings, to, replace=force, include_licensed=include_licensed)
        say(f"{shown(folder)}: {_measured(folder)}", as_json=as_json, folder=folder)
        return
    from datamoat.release import bundle as releases
    from datamoat.release import register
    from datamoat.release.layout import write_layout

    with one_writer(settings.data, "export"):
        entry, folder = releases.make_release(settings, on, to, replace=force)
        if record:
            register.record(settings.own_content / "data", entry)
        site = write_layout(settings)
    say(
        f"{shown(folder)}: {_measured(folder)}\nreleased {entry.released_on}, build {entry.build_id}\nchecksum {entry.checksum}"
        f"\n{shown(site)}: this release is latest/ there; docs/publishing.md shows how to publish that folder",
        as_json=as_json, folder=folder, site=site, **vars(entry),
    )  # fmt: skip
    if not record and not as_json:
        typer.echo("Write the checksum where the bundle is not: the release note, or --record and commit data/releases.csv.")


def verify(
    bundle: Annotated[Path, typer.Argument(help="The folder of a release.")],
    checksum: Annotated[str | None, typer.Option(help="The checksum somebody wrote down elsewhere, to compare with.")] = None,
    *,
    rebuild: Annotated[bool, typer.Option(help="Build it again from the content here, and compare the rows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that a release is byte for byte what was released; exits 1 if not, 3 if nobody here knows its checksum.

    Example: datamoat verify data/exports/releases/datamoat-2026-11-24-0a1b2c3d
    """
    from datamoat.release.verify import rebuild_bundle, verify_bundle

    settings = read_settings()
    verdict = verify_bundle(settings, bundle, checksum)
    findings = list(verdict.findings)
    if rebuild and verdict.is_good:
        findings += rebuild_bundle(settings, bundle)
    if as_json:
        facts = {
            "is_good": not findings, "is_known": verdict.is_known, "checksum": verdict.checksum, "n_files": verdict.n_files, "n_bytes": verdict.n_bytes,
            "n_tables": verdict.n_tables, "registered_on": verdict.registered_on and verdict.registered_on.isoformat(),
            "findings": [{"path": finding.path, "what": finding.what} for finding in findings],
        }  # fmt: skip
        typer.echo(json.dumps(facts, indent=1))
    elif findings:
        typer.echo("\n".join(f"{text_of(finding.path)}: {text_of(finding.what)}" for finding in findings))
        typer.echo(f"{len(findings)} findings: this is not what was released. Do not use it.")
    else:
        typer.echo(
            f"{verdict.n_files} files, {verdict.n_bytes / 1e6:.1f} MB, {verdict.n_tables} tables in all their forms: as released"
        )
        typer.echo(f"checksum {verdict.checksum}")
        typer.echo(
            f"registered on {verdict.registered_on}"
            if verdict.registered_on
            else "It is the checksum that was given."
            if verdict.is_known
            else "No register here knows this checksum: compare it with the one its release note gives (--checksum)."
        )
    raise typer.Exit(1 if findings else 0 if verdict.is_known else UNKNOWN)


def _measured(folder: Path) -> str:
    """Return how many files a folder has, and how large they are together."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB"
