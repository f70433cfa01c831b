"""Is what readers see good, and is the machine fit to make the next build?"""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import DatamoatError
from datamoat.ingest.status import State
from datamoat.project.sql import read_snippet
from datamoat.settings import Settings
from datamoat.storage.clients import writer_of
from datamoat.storage.examine import examine_rows, examine_warehouse
from datamoat.storage.files import TEMPORARY
from datamoat.storage.warehouse import instead_of_changed, open_published, published_build

MOST_REASON = 120  # characters of a reason in a line; `datamoat diagnose` has all of it
SOURCES = Path("reports") / "status" / "sources.sql"
SERIES = Path("reports") / "status" / "series.sql"
SERIES_COLUMNS = ("series_kind", "series_id", "newest_on", "stale_since_on", "is_good")
PUBLISHED_SOURCES = "select source_id, 'published' as status, null as reason, true as is_good from meta.sources"
LIBRARIES = ("duckdb", "polars", "great-expectations")


@dataclass(frozen=True)
class Status:
    """Three lines, and the facts behind them."""

    lines: tuple[str, ...]
    is_good: bool
    facts: dict[str, Any] = field(hash=False)


def read_status(settings: Settings) -> Status:
    """Return what is published, how its sources are, and what its audit left open."""
    try:
        with open_published(settings) as con:
            build_id, as_of, built_at = con.sql("select build_id, as_of, built_at from meta.build").fetchall()[0]
            n_checks, n_open = con.sql("select count(*), count(*) filter (where not is_ok) from meta.audits").fetchall()[0]
            warnings = con.sql(
                "select table_name, check_name, offending from meta.audits where not is_ok order by all"
            ).fetchall()
            sources = _published_states(con, settings)
            series = _stale_series(con, settings, datetime.now(UTC).date())
    except DatamoatError as failure:
        return Status((f"nothing to read: {failure.what}", f"  {failure.where}", f"  {failure.fix}"), False, {"published": None})
    current = _current_states(settings)
    bad = [(source, state, reason) for source, state, reason, is_good in sources if not is_good and source not in current]
    bad = sorted([*bad, *((source, state, reason) for source, (state, reason) in current.items() if state != "good")])
    listed = "; ".join(f"{source} {state}: {reason}" for source, state, reason in bad)
    lines: tuple[str, ...] = (
        f"published  build {build_id}, as of {as_of}, built {built_at:%Y-%m-%d %H:%M} UTC",
        f"sources    {len(sources)} known, {len(bad)} to look at" + (f": {listed}" if listed else ""),
        f"audit      {n_checks} checks, {n_open} warnings"
        + (f": {'; '.join(f'{t}: {c}' for t, c, _ in warnings[:3])}" if n_open else ""),
    )
    if series is not None:
        old = [f"{name} since {since} (newest {newest})" for _, name, newest, since, is_good in series if not is_good]
        lines += (f"series     {len(series)} stale, {len(old)} to look at" + (f": {'; '.join(old)}" if old else ""),)
    facts = {
        "published": {"build_id": build_id, "as_of": as_of, "built_at": built_at, "path": str(settings.published)},
        "sources": [dict(zip(("source_id", "status", "reason", "is_good"), row, strict=True)) for row in sources],
        "stale": [dict(zip(SERIES_COLUMNS, row, strict=True)) for row in series or []],
        "warnings": [dict(zip(("table_name", "check_name", "offending"), row, strict=True)) for row in warnings],
    }
    if (pid := writer_of(settings.published)) is not None:
        lines += (f"writer     process {pid} holds the published file for writing: end it; the file is replaced, never edited",)
    is_changed = published_build(settings) is None and instead_of_changed(settings) is not None
    if is_changed:
        fix = f"`datamoat rollback {build_id}` puts it right"
        lines += (f"file       the published file was changed, and this is read from its retained copy: {fix}",)
    is_fresh = all(is_good for *_, is_good in series or [])
    is_good = not bad and is_fresh and pid is None and not is_changed
    return Status(lines, is_good, {**facts, "writer": pid, "is_changed": is_changed})


def list_requests(settings: Settings) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return every request of every live source with its state today."""
    from datamoat.ingest.source_state import states
    from datamoat.project.sources import read_sources

    sources = read_sources(settings.content)
    current = {(state.source_id, state.request): state for state in states(settings, sources, datetime.now(UTC).date())}
    listed: list[tuple[Any, ...]] = []
    for one in sources:
        for name, request in one.fetch.requests.items():
            state = current[one.id, name]
            protocol = one.fetch.protocol if request.live else "inbox"
            dates = (str(state.since or ""), str(state.served_on or ""))
            listed.append((one.id, name, protocol, one.fetch.every, str(state.state), *dates, request.about))
    return ("source", "request", "protocol", "every", "state", "since", "served", "about"), listed


def _published_states(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[tuple[Any, ...]]:
    """Return the published state of each source, by the query that the content declares: source_id, status, reason, is_good.

    Without such a query every published source is good.
    """
    path = settings.content / SOURCES
    sql = read_snippet(path, {"description"}).sql if path.is_file() else PUBLISHED_SOURCES
    return con.sql(f"select source_id, status, reason, is_good from ({sql}) order by all").fetchall()


def _stale_series(con: duckdb.DuckDBPyConnection, settings: Settings, today: date) -> list[tuple[Any, ...]] | None:
    """Return the series that are stale today, by the query that the content declares, with its columns; None without one."""
    path = settings.content / SERIES
    if not path.is_file():
        return None
    con.execute("set variable today = $today", {"today": today})
    sql = f"select {', '.join(SERIES_COLUMNS)} from ({read_snippet(path, {'description'}).sql}) order by all"
    try:
        return con.sql(sql).fetchall()
    except duckdb.CatalogException:  # a file that was published before there was such a table
        return None


def _current_states(settings: Settings) -> dict[str, tuple[str, str]]:
    """Return the state today of each source that was ever landed: what landed after the published build counts too."""
    if not settings.snapshots.is_dir():  # a reader of a release, who has nothing that was landed
        return {}
    from datamoat.ingest.source_state import RequestState, states
    from datamoat.project.sources import read_sources

    by_source: dict[str, list[RequestState]] = {}
    for state in states(settings, read_sources(settings.content), datetime.now(UTC).date()):
        if state.state != State.NEVER:
            by_source.setdefault(state.source_id, []).append(state)
    found: dict[str, tuple[str, str]] = {}
    for source, requests in by_source.items():
        bad = [state for state in requests if state.state.is_withheld or state.state == State.CLOCK]
        silent = [state for state in requests if state.state == State.SILENT]
        if bad:
            named = ", ".join(
                f"{state.request} since {state.since} (data of {state.served_on or 'no day'} stay live)" for state in bad
            )
            reason = bad[0].reason if len(bad[0].reason) <= MOST_REASON else bad[0].reason[:MOST_REASON] + "…"
            found[source] = (bad[0].state, f"{named}: {reason}")
        elif silent:
            found[source] = ("silent", f"nothing fetched since {max(state.since for state in silent if state.since)}")
        else:
            found[source] = ("good", "")
    return found


def examine(settings: Settings) -> list[tuple[bool, str, str]]:
    """Return findings about the machine and the files: whether good, what was seen, what to do."""
    settings.data.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data).free
    left = [path for path in settings.data.rglob(f".*{TEMPORARY}*") if path.is_file()]
    versions = ", ".join(f"{name} {version}" for name in LIBRARIES if (version := _version(name)))
    return [
        (True, f"Python {platform.python_version()}, {os.cpu_count()} cores, {versions}", ""),
        (True, f"content in {settings.content}", ""),
        (os.access(settings.data, os.W_OK), f"data in {settings.data}", "give this user write permission there"),
        (free > settings.room, f"{free / 1e9:.1f} GB free", f"free space: a build needs {settings.room / 1e9:g} GB"),
        (not left, f"{len(left)} unfinished files", "`datamoat run` sweeps them"),
        *examine_warehouse(settings),
        *examine_rows(settings),
        *_examine_build(settings),
    ]  # fmt: skip


def _examine_build(settings: Settings) -> list[tuple[bool, str, str]]:
    """Return findings about what is built from and with; a reader of a release has neither snapshots nor a lake."""
    if not (settings.lake.is_dir() or settings.snapshots.is_dir()):
        return [(True, "no snapshots and no lake: this data folder is for reading", "")]
    from datamoat.build.record import examine_lake
    from datamoat.ingest.decisions import examine_decisions
    from datamoat.ingest.landings import examine_raw
    from datamoat.project.fingerprint import unfit_versions
    from datamoat.publish.results import examine_audit
    from datamoat.storage.snapshots import examine_snapshots

    unfit = unfit_versions()
    return [
        (not unfit, "; ".join(unfit) or "every library in a version that is declared fit", "install from requirements.lock"),
        *examine_lake(settings.lake),
        *examine_audit(settings.lake),
        *examine_raw(settings.lake),
        *examine_snapshots(settings.snapshots),
        *examine_decisions(settings),
    ]


def _version(library: str) -> str | None:
    """Return the version of a library; None where it is not installed."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
