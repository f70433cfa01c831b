"""The commands for those who read: export, verify, trace, report."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datamoat.errors import UsageError
from datamoat.settings import Settings, read_settings
from datamoat.views.render import text_of

if TYPE_CHECKING:
    import duckdb

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Day = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day of the release; today if left out.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(export)
    app.command()(verify)
    app.command()(trace)
    app.command()(report)


def export(
    to: Annotated[Path | None, typer.Option(help="The folder to put it in; data/exports if left out.")] = None,
    *,
    release: Annotated[bool, typer.Option("--release", help="Make the full, dated bundle and keep it for good.")] = False,
    on: Day = None,
    record: Annotated[bool, typer.Option("--record", help="Write the seal into data/releases.csv, to be committed.")] = False,
    force: Annotated[bool, typer.Option(help="Replace a folder of the same name.")] = False,
) -> None:
    """Write the published marts as Parquet and CSV; with --release, everything a reader in five years needs.

    Example: datamoat export --release --to releases
    """
    from datamoat.storage.files import one_writer

    settings = read_settings()
    if not release:
        from datamoat.release.tables import export_tables

        folder = export_tables(settings, to, replace=force)
        typer.echo(f"{shown(folder)}: {_measured(folder)}")
        return
    from datamoat.release import bundle as releases

    with one_writer(settings.data, "export"):
        entry, folder = releases.make_release(settings, on.date() if on else None, to, replace=force)
        if record:
            releases.record(settings.content / "data", entry)
    typer.echo(f"{shown(folder)}: {_measured(folder)}\nreleased {entry.released_on}, build {entry.build_id}\nseal {entry.seal}")
    if not record:
        typer.echo("Write the seal where the bundle is not: the release note, or --record and commit data/releases.csv.")


def verify(
    bundle: Annotated[Path, typer.Argument(help="The folder of a release.")],
    seal: Annotated[str | None, typer.Option(help="The seal somebody wrote down elsewhere, to compare with.")] = None,
    *,
    rebuild: Annotated[bool, typer.Option(help="Build it again from the content here, and compare the rows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that a release is byte for byte what was released; exits 1 if not.

    Example: datamoat verify data/exports/releases/datamoat-2026-11-24-0a1b2c3d
    """
    from datamoat.release.verify import rebuild_bundle, verify_bundle

    settings = read_settings()
    verdict = verify_bundle(settings, bundle, seal)
    findings = list(verdict.findings)
    if rebuild and verdict.is_good:
        findings += rebuild_bundle(settings, bundle)
    if as_json:
        facts = {
            "is_good": not findings, "seal": verdict.seal, "n_files": verdict.n_files, "n_bytes": verdict.n_bytes,
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
        typer.echo(f"seal {verdict.seal}")
        typer.echo(
            f"registered on {verdict.registered_on}"
            if verdict.registered_on
            else "No register here knows this seal: compare it with the one its release note gives (--seal)."
        )
    raise typer.Exit(0 if not findings else 1)


def trace(
    number: Annotated[str, typer.Argument(metavar="TABLE.COLUMN", help="The number, as company_volume.usable_hours_p50.")],
    where: Annotated[
        list[str] | None, typer.Option(help="The row, as company_id=kuaishou; may be said again. Dates left out are the newest.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Show every reason, not the first dozen.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what one published number rests on: figures as stated, pages, assumptions, files.

    Example: datamoat trace company_volume.usable_hours_p50 --where company_id=kuaishou
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
) -> None:
    """Draw the report from the published file: one HTML page that loads nothing, and each chart as PNG and SVG.

    Example: datamoat report --to report
    """
    import importlib.util

    if importlib.util.find_spec("altair") is None or importlib.util.find_spec("vl_convert") is None:
        raise UsageError(
            "the report needs altair and vl-convert", "this environment", "install datamoat with its `reports` extra."
        )
    from datamoat.release.tables import checked_target
    from datamoat.views.report import write_report

    settings = read_settings()
    folder = checked_target(to, replace=True) if to is not None else settings.exports / "report"
    made = write_report(settings, folder, lambda name: typer.echo(name, err=True))
    typer.echo(
        f"{shown(made.page)}: {made.n_panels} charts, {made.page.stat().st_size / 1e6:.1f} MB; PNG and SVG in {shown(folder / 'charts')}"
    )


def opened(settings: Settings, as_of: date | None, rebuild_as_of: date | None) -> "duckdb.DuckDBPyConnection":
    """Open what a question is put to: the published file, an earlier release, or a build as of an earlier day.

    Raises:
        UsageError: Both days are given, or nothing had been released by then.
    """
    if as_of is not None and rebuild_as_of is not None:
        raise UsageError(
            "--as-of and --rebuild-as-of are two questions",
            "the command line",
            "ask what was published then, or what today's method says.",
        )
    if as_of is not None:
        from datamoat.release.bundle import open_release, released_by

        entry = released_by(settings, as_of)
        con = open_release(settings, entry)
        typer.echo(
            f"as published on {as_of}: release {entry.release_id} of {entry.released_on}, inputs as of {entry.as_of}", err=True
        )
        return con
    if rebuild_as_of is not None:
        from datamoat.build.as_of import rebuild_as_of as rebuild
        from datamoat.storage.files import one_writer

        with one_writer(settings.data, "query --rebuild-as-of"):
            build, con = rebuild(settings, rebuild_as_of)
        typer.echo(
            f"built by today's method from what was public on {rebuild_as_of}: build {build.build_id}; not audited", err=True
        )
        return con
    from datamoat.storage.warehouse import open_published

    return open_published(settings)


def shown(path: Path) -> str:
    """Return a path as a person here would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _measured(folder: Path) -> str:
    """Return how many files a folder has, and how large they are together."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB"
