"""The command line: one verb a step, no logic. Exit codes: 0 good, 1 degraded or refused (told why), 2 usage."""

import difflib
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from datamoat import __version__
from datamoat.cli import answer as cli_answer
from datamoat.cli import readers as cli_readers
from datamoat.cli import scenarios as cli_whatif
from datamoat.cli import sources as cli_sources
from datamoat.errors import DatamoatError, UsageError
from datamoat.log import Form, in_json, log, show_log
from datamoat.settings import Settings, read_settings
from datamoat.views.render import rows

if TYPE_CHECKING:
    import duckdb


class Program(TyperGroup):
    """The program; the options about the log may also stand after the command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (a class that typer keeps private)
        """Read the words, with the options about the log in front of the command."""
        first: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--log-format":
                first += [word, *[value for value in [next(words, None)] if value is not None]]
            else:
                (first if word.startswith("--log-format=") or word in {"--verbose", "-v"} else rest).append(word)
        return super().parse_args(ctx, [*first, *rest])


app = typer.Typer(
    cls=Program,
    help="How much video can each company reach, and does that volume go with how its video models rank?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
AsOf = Annotated[datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="Leave out what became public later.")]
HISTORY = {"marts.change", "meta.audits"}  # their rows depend on what was published before, so no count is shown
FIRST_SENTENCE = re.compile(r"(?<=\.)\s")
SHOWN = 200  # rows a query prints unless told otherwise


def main() -> None:
    """Run the command; a failure on purpose is told in three lines, without a traceback."""
    try:
        app()
    except DatamoatError as failure:
        if in_json():
            log.error("failed", error=type(failure).__name__, what=failure.what, where=failure.where, fix=failure.fix)
        else:
            typer.secho(str(failure), err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        sys.exit(failure.exit_code)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    log_format: Annotated[
        Form | None,
        typer.Option(
            help="How the log is written to standard error: json, one object a line, or text; a bar on a terminal if left out."
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every model and check on a line of its own.")] = False,
) -> None:
    show_log(log_format, verbose=verbose)
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def run(as_of: AsOf = None) -> None:
    """Land, build, audit and publish what is here; uses no network.

    Example: datamoat run
    """
    from datamoat.build.run import build_models
    from datamoat.project.read import read_project
    from datamoat.publish.audit import Worker, audit_build
    from datamoat.publish.warehouse import publish_warehouse
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "run"), Worker() as worker:
        project = read_project(settings.content)
        build_models(settings, project, as_of.date() if as_of else None)
        audit_build(settings, project, worker)
        publish_warehouse(settings, project)
    _summary(settings)


@app.command()
def land() -> None:
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
    typer.echo(f"{len(facts)} reference files with {sum(fact.frame.height for fact in facts):,} rows; {report}")


@app.command()
def build(as_of: AsOf = None) -> None:
    """Build every table from the reference facts and the snapshots that are here.

    Example: datamoat build --as-of 2026-05-15
    """
    from datamoat.build.run import build_models
    from datamoat.project.read import read_project
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "build"):
        made = build_models(settings, read_project(settings.content), as_of.date() if as_of else None)
    typer.echo(f"build {made.build_id}: {len(made.tables)} tables, as of {made.as_of}")


@app.command()
def audit(as_json: AsJson = False) -> None:
    """Check every claim about the build in the lake.

    Example: datamoat audit --json
    """
    from datamoat.project.read import read_project
    from datamoat.publish.audit import audit_build
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "audit"):
        checked = audit_build(settings, read_project(settings.content))
    listed = [(r.table_name, r.kind, r.claim, r.reason, r.n_offending, r.offending) for r in checked.warnings]
    rows(("table_name", "kind", "claim", "reason", "n_offending", "offending"), listed, as_json=as_json)
    if not as_json:
        typer.echo(f"{len(checked.results)} claims checked, {len(checked.warnings)} warnings, none critical.")


@app.command()
def publish() -> None:
    """Put the audited build where readers look.

    Example: datamoat publish
    """
    from datamoat.project.read import read_project
    from datamoat.publish.warehouse import publish_warehouse
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "publish"):
        published = publish_warehouse(settings, read_project(settings.content))
    typer.echo(f"build {published.build_id} is in {_shown(published.path)}" + ("" if published.is_new else " already"))


@app.command()
def rollback(build_id: Annotated[str | None, typer.Argument(help="Which build; the one before if left out.")] = None) -> None:
    """Let an earlier build take the place of the published one.

    Example: datamoat rollback
    """
    from datamoat.publish import warehouse as publishing
    from datamoat.storage.files import one_writer

    settings = read_settings()
    with one_writer(settings.data, "rollback"):
        published = publishing.rollback(settings, build_id)
    typer.echo(f"build {published.build_id} (as of {published.as_of}) is in {_shown(published.path)} again")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say in three lines what is published, how the sources are, and what the audit left open; exits 1 if degraded.

    Example: datamoat status
    """
    from datamoat.views.status import read_status

    told = read_status(read_settings())
    typer.echo(json.dumps(told.facts, default=str, indent=1) if as_json else "\n".join(told.lines))
    raise typer.Exit(0 if told.is_good else 1)


@app.command()
def show(
    table: Annotated[str | None, typer.Argument(help="A mart, or meta.<table>; all marts if left out.")] = None,
    as_json: AsJson = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="List every request of every live source, and how it stands.")
    ] = False,
) -> None:
    """List the marts, or say what one of them holds and what its columns mean.

    Example: datamoat show board_status
    """
    from datamoat.storage.lake import identifier
    from datamoat.storage.warehouse import open_published

    if sources:
        cli_sources.show_sources(as_json=as_json)
        return
    with open_published(read_settings()) as con:
        known = {
            f"{schema}.{name}": (comment, n)
            for schema, name, comment, n in con.sql(
                "select schema_name, table_name, comment, estimated_size from duckdb_tables()"
                " where schema_name in ('marts', 'meta') order by all"
            ).fetchall()
        }
        if table is None:
            rows(
                ("table", "n_rows", "what it holds"),
                [
                    (n.removeprefix("marts."), None if n in HISTORY else size, text if as_json else FIRST_SENTENCE.split(text)[0])
                    for n, (text, size) in known.items()
                ],
                as_json=as_json,
            )
            return
        full = table if "." in table else f"marts.{table}"
        if full not in known:
            near = difflib.get_close_matches(full, known, 3) or [name for name in known if name.startswith("marts.")]
            raise UsageError(f"there is no table {table!r}", "the published file", f"did you mean one of {', '.join(near)}?")
        schema, name = full.split(".")
        if not as_json:
            typer.echo(f"{full}\n{known[full][0]}\n")
        described = con.execute(
            "select column_name, data_type, comment from duckdb_columns() where schema_name = ? and table_name = ? order by column_index",
            [schema, name],
        ).fetchall()
        rows(("column", "type", "description"), described, as_json=as_json)
        if not as_json:
            typer.echo(f'\nTry: datamoat query "from {schema}.{identifier(name).strip(chr(34))} limit 5"')


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One statement; `from marts.board_status` is enough.")],
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(help="Print at most this many rows; 0 prints all.")] = SHOWN,
    seconds: Annotated[int, typer.Option(help="Stop a query that runs longer.")] = 60,
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="Ask the release that stood on that day.")
    ] = None,
    rebuild_as_of: Annotated[
        datetime | None,
        typer.Option(
            "--rebuild-as-of", formats=["%Y-%m-%d"], help="Ask what today's method says from what was public on that day."
        ),
    ] = None,
) -> None:
    """Ask the published file; it is opened for reading only, and nothing else can be reached from it.

    Example: datamoat query "from marts.board_status where is_latest_usable"
    """
    with cli_readers.opened(read_settings(), as_of and as_of.date(), rebuild_as_of and rebuild_as_of.date()) as con:
        columns, found = ask(con, sql, limit, seconds)
    rows(columns, found[: limit or None], as_json=as_json)
    if limit and len(found) > limit and not as_json:
        typer.echo(f"… more rows than {limit}; say --limit 0 to print all", err=True)


def ask(con: "duckdb.DuckDBPyConnection", sql: str, limit: int, seconds: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one query with a deadline and return its columns and up to `limit` + 1 rows."""
    import threading

    import duckdb

    timer = threading.Timer(seconds, con.interrupt)
    timer.start()
    try:
        relation = con.sql(sql)
        if relation is None:
            raise UsageError("that is not a query", sql, "write a SELECT, or start with FROM.")
        return list(relation.columns), (relation.limit(limit + 1) if limit else relation).fetchall()
    except duckdb.InterruptException as failure:
        raise UsageError(f"the query ran longer than {seconds} s", sql, "narrow it, or give --seconds.") from failure
    except duckdb.OutOfMemoryException as failure:
        raise UsageError("the query needs more memory than it may take", sql, "narrow it, or set DATAMOAT_MEMORY.") from failure
    except duckdb.Error as failure:
        raise UsageError(
            str(failure).strip(), sql, "`datamoat show` lists the tables, `datamoat show TABLE` its columns."
        ) from failure
    finally:
        timer.cancel()


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(help="A kept build's id; the one published before, if left out.")] = None,
    table: Annotated[str | None, typer.Option(help="Print the rows of this mart that differ.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Compare the published marts with those of an earlier build, row by row.

    Example: datamoat diff --table board_status
    """
    import duckdb

    from datamoat.publish.diff import attach, changed_rows, differences
    from datamoat.storage.warehouse import kept_builds, published_build

    settings = read_settings()
    current = published_build(settings.published)
    if current is None:
        raise UsageError("nothing is published yet", str(settings.published), "run `datamoat run`.")
    others = [build for build in kept_builds(settings) if build.build_id != current.build_id]
    earlier = next((build for build in others if before in (None, build.build_id)), None)
    if earlier is None:
        raise UsageError(
            f"build {before} is not kept" if before else "there is no earlier build to compare with",
            str(settings.warehouse / "builds"),
            f"kept builds: {[build.build_id for build in others]}.",
        )
    with duckdb.connect() as con:
        attach(con, "before", earlier.path)
        attach(con, "after", current.path)
        if table is not None:
            if table not in {
                name for (name,) in con.sql("select table_name from after.meta.models where layer = 'marts'").fetchall()
            }:
                raise UsageError(f"there is no mart {table!r}", "the published file", "`datamoat show` lists them.")
            rows(*changed_rows(con, table, limit), as_json=as_json)
            return
        found = [d for d in differences(con) if not d.is_none]
    if not as_json:
        typer.echo(f"{earlier.build_id} → {current.build_id}: {len(found)} marts differ")
    listed = [
        (
            d.table_name,
            d.n_before,
            d.n_after,
            d.n_added,
            d.n_removed,
            d.n_changed,
            d.told,
        )
        for d in found
    ]
    rows(("table", "n_before", "n_after", "n_added", "n_removed", "n_changed", "columns"), listed, as_json=as_json)


@app.command()
def check() -> None:
    """Check everything that can be known without building: files, names, graph, dictionary, reference rows.

    Example: datamoat check
    """
    from datamoat.project.read import read_project
    from datamoat.project.reference import read_reference
    from datamoat.project.sources import read_sources
    from datamoat.publish.audit import check_tables_exist

    settings = read_settings()
    project = read_project(settings.content)
    check_tables_exist(project)
    facts = read_reference(settings.reference)
    sources = read_sources(settings.content)
    typer.echo(
        f"{len(project.models)} models, {len(project.columns)} columns, {len(project.checks)} checks,"
        f" {len(sources)} sources, {sum(fact.frame.height for fact in facts):,} reference rows: all in order"
    )


@app.command()
def docs() -> None:
    """Write the generated pages of docs/, and refresh the answers in the others, from the published file.

    Example: datamoat docs
    """
    from datamoat.project.read import read_project
    from datamoat.storage.files import write_whole
    from datamoat.storage.warehouse import open_published
    from datamoat.views.docs import pages, refreshed, written_by_hand

    settings = read_settings()
    with open_published(settings) as con:
        made = pages(con, read_project(settings.content))
    folder = settings.content / "docs"
    for stale in set((folder / "marts").glob("*.md")) - {folder / name for name in made}:
        stale.unlink()
    for name, text in made.items():
        write_whole(folder / name, text.encode())
    by_hand = written_by_hand(settings.content)
    for path in by_hand:
        text = path.read_text(encoding="utf-8")
        if (new := refreshed(text, app)) != text:
            write_whole(path, new.encode())
    typer.echo(f"{len(made)} pages written, the answers in {len(by_hand)} refreshed")


@app.command()
def doctor() -> None:
    """Look at the machine and the files, and say what to do about anything wrong; exits 1 if something is.

    Example: datamoat doctor
    """
    from datamoat.views.status import examine

    findings = examine(read_settings())
    rows(("is_good", "what", "fix"), [(good, what, fix) for good, what, fix in findings])
    raise typer.Exit(0 if all(good for good, *_ in findings) else 1)


cli_sources.register(app)
cli_readers.register(app)
cli_answer.register(app)
cli_whatif.register(app)


def _summary(settings: Settings) -> None:
    """Print what was built: the tables of reports/run, where the file is, one query to type next."""
    from datamoat.project.sql import read_snippet
    from datamoat.storage.warehouse import open_published

    with open_published(settings) as con:
        for path in sorted((settings.content / "reports" / "run").glob("*.sql")):
            snippet = read_snippet(path, {"description"})
            typer.echo()
            relation = con.sql(snippet.sql)
            rows(relation.columns, relation.fetchall(), title=snippet.description)
    typer.echo(f"\nThe file: {_shown(settings.published)}")
    typer.echo('Ask it:   datamoat query "from marts.board_status where is_latest_usable"')


def _shown(path: Path) -> str:
    """Return a path as a person here would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    main()
