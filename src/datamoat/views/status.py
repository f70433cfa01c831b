"""Is what readers see good, and is the machine fit to make the next build?"""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb

from datamoat.errors import DatamoatError
from datamoat.ingest.source_state import RequestState, states
from datamoat.project.sources import read_sources
from datamoat.settings import Settings
from datamoat.storage.files import TEMPORARY
from datamoat.storage.warehouse import kept_builds, open_published, published_build

MOST_REASON = 120  # characters of a reason in a line; `datamoat diagnose` has all of it
ROOM = 2_000_000_000  # bytes: a build, its spill and three kept files


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
            n_claims, n_open = con.sql("select count(*), count(*) filter (where not is_ok) from meta.audits").fetchall()[0]
            open_claims = con.sql("select table_name, claim, offending from meta.audits where not is_ok order by all").fetchall()
            sources = con.sql("select source_id, status, reason from marts.source_freshness order by all").fetchall()
    except DatamoatError as failure:
        return Status((f"nothing to read: {failure.what}", f"  {failure.where}", f"  {failure.fix}"), False, {"published": None})
    standing = _standing(settings)
    bad = [
        (source, state, reason) for source, state, reason in sources if state in {"failing", "late"} and source not in standing
    ]
    bad = sorted([*bad, *((source, state, reason) for source, (state, reason) in standing.items() if state != "good")])
    told = "; ".join(f"{source} {state}: {reason}" for source, state, reason in bad)
    lines = (
        f"published  build {build_id}, as of {as_of}, built {built_at:%Y-%m-%d %H:%M} UTC",
        f"sources    {len(sources)} known, {len(bad)} need a look" + (f": {told}" if told else ""),
        f"audit      {n_claims} claims, {n_open} warnings"
        + (f": {'; '.join(f'{t}: {c}' for t, c, _ in open_claims[:3])}" if n_open else ""),
    )
    facts = {
        "published": {"build_id": build_id, "as_of": as_of, "built_at": built_at, "path": str(settings.published)},
        "sources": [dict(zip(("source_id", "status", "reason"), row, strict=True)) for row in sources],
        "warnings": [dict(zip(("table_name", "claim", "offending"), row, strict=True)) for row in open_claims],
    }
    return Status(lines, not bad, facts)


def _standing(settings: Settings) -> dict[str, tuple[str, str]]:
    """Return how each source that was ever landed stands today: what came after the published build counts too."""
    by_source: dict[str, list[RequestState]] = {}
    for state in states(settings, read_sources(settings.content), datetime.now(UTC).date()):
        if state.state != "never":
            by_source.setdefault(state.source_id, []).append(state)
    found: dict[str, tuple[str, str]] = {}
    for source, standing in by_source.items():
        held = [state for state in standing if state.state in {"quarantined", "failing", "clock suspicious"}]
        silent = [state for state in standing if state.state == "silent"]
        if held:
            named = ", ".join(
                f"{state.request} since {state.since} (data of {state.served_on or 'no day'} stay live)" for state in held
            )
            reason = held[0].reason if len(held[0].reason) <= MOST_REASON else held[0].reason[:MOST_REASON] + "…"
            found[source] = (held[0].state, f"{named}: {reason}")
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
    current = published_build(settings.published)
    is_broken = settings.published.is_file() and current is None
    kept = ", ".join(build.build_id for build in kept_builds(settings)) or "none"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("duckdb", "polars", "great-expectations"))
    return [
        (True, f"Python {platform.python_version()}, {os.cpu_count()} cores, {versions}", ""),
        (True, f"content in {settings.content}", ""),
        (os.access(settings.data, os.W_OK), f"data in {settings.data}", "give this user write permission there"),
        (free > ROOM, f"{free / 1e9:.1f} GB free", "free space: a build wants 2 GB"),
        (not left, f"{len(left)} unfinished files", "`datamoat run` sweeps them"),
        (duckdb.__version__.startswith("2.0"), f"DuckDB {duckdb.__version__}", "install from requirements.lock"),
        (not is_broken, f"published: {current.build_id if current else 'a file that does not open' if is_broken else 'nothing yet'}",
         "`datamoat rollback`, or `datamoat run`"),
        (True, f"kept builds: {kept}", ""),
    ]  # fmt: skip
