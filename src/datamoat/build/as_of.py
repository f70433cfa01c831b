"""What today's method would have said on an earlier day, from what was public then.

The build is made beside everything else, in the lake, and kept there until an input or the method changes. It is read
from memory, closed to the outside, and never published.
"""

from dataclasses import replace
from datetime import date

import duckdb

from datamoat.build.meta_tables import OF_A_BUILD
from datamoat.build.run import Build, build_models, input_hashes, read_build
from datamoat.errors import ModelFailedError
from datamoat.project.model import Project
from datamoat.project.read import read_project
from datamoat.project.reference import read_reference
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, path_of, quoted


def rebuild_as_of(settings: Settings, day: date) -> tuple[Build, duckdb.DuckDBPyConnection]:
    """Build as of `day` and return the build and a connection to ask it; nothing else can be reached from that.

    Args:
        settings: Where things are.
        day: Every input that became public later is left out.
    """
    project = read_project(settings.content)
    here = replace(settings, data=settings.lake / "as-of" / day.isoformat())
    here.data.mkdir(parents=True, exist_ok=True)
    snapshots = here.data / "snapshots"
    if settings.snapshots.is_dir() and not snapshots.is_symlink():
        snapshots.symlink_to(settings.snapshots.resolve())
    build = _kept(here, project, day) or build_models(here, project, day)
    con = duckdb.connect(config={"threads": str(settings.threads), "memory_limit": settings.memory_limit})
    con.execute("create schema marts; create schema meta")
    for table_id in [*(table.id for table in project.marts), *(f"meta.{name}" for name in OF_A_BUILD)]:
        schema, name = table_id.split(".")
        source = quoted(str(path_of(here.lake, table_id)))
        con.execute(f"create table {schema}.{identifier(name)} as from read_parquet({source})")
    for macro in project.macros:
        con.execute(macro.sql)
    con.execute("set enable_external_access = false; set lock_configuration = true")
    return build, con


def _kept(here: Settings, project: Project, day: date) -> Build | None:
    """Return the build that was made for this day before, if nothing it is a function of has changed."""
    try:
        build = read_build(here.lake)
    except ModelFailedError:
        return None
    wanted = {**input_hashes(here, project, read_reference(here.reference)), "as_of": day.isoformat()}
    return build if build.inputs == wanted else None
