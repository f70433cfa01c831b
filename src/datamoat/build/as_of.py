"""What today's models compute as of an earlier day, from what was public then.

The build is made beside everything else, in the lake, and cached there until an input or the method changes. It is read
from memory, closed to the outside, and never published.
"""

from dataclasses import replace
from datetime import date

import duckdb

from datamoat.build.inputs import fingerprint
from datamoat.build.record import Build, damaged_files, read_build
from datamoat.build.run import build_models
from datamoat.errors import ModelFailedError
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, parquet, path_of


def rebuild_as_of(settings: Settings, day: date) -> tuple[Build, duckdb.DuckDBPyConnection]:
    """Build as of `day` and return the build and a connection to query it; nothing else can be reached from that.

    Args:
        settings: Where things are.
        day: Every input that became public later is left out.
    """
    project = read_project(settings.content)
    here = replace(settings, data=settings.lake / "as-of" / day.isoformat(), store="")
    here.data.mkdir(parents=True, exist_ok=True)
    snapshots = here.data / "snapshots"
    if settings.snapshots.is_dir() and not snapshots.is_symlink():
        snapshots.symlink_to(settings.snapshots.resolve())
    build = _cached(here, day) or build_models(here, project, day)
    con = duckdb.connect(config={"threads": str(settings.threads), "memory_limit": settings.memory_limit})
    con.execute("create schema marts; create schema meta")
    for table_id in [*(table.id for table in project.marts), *(f"meta.{name}" for name in build.meta)]:
        schema, name = table_id.split(".")
        con.execute(f"create table {schema}.{identifier(name)} as from {parquet(path_of(here.lake, table_id))}")
    for macro in project.macros:
        con.execute(macro.sql)
    con.execute("set enable_external_access = false; set lock_configuration = true")
    return build, con


def _cached(here: Settings, day: date) -> Build | None:
    """Return the build that was made for this day before, if it is whole and nothing it is a function of has changed."""
    try:
        build = read_build(here.lake)
    except ModelFailedError:
        return None
    return build if build.made_from == fingerprint(here, day) and not damaged_files(here.lake, build) else None
