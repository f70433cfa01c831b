"""Audited lake → one commented DuckDB file, swapped in under live readers.

The file is built beside the published one, closed, opened again and compared, then renamed over it: a reader who has
the old file open keeps it, the next one sees the new. The storage version is an old one, so that a client from DuckDB
1.2 on can open it. The last three builds are kept for `rollback`.
"""

import json
import shutil
import time
from pathlib import Path

import duckdb

from datamoat.build.meta_tables import META_TABLES
from datamoat.build.run import Build, read_build
from datamoat.errors import PublishRefusedError, UsageError
from datamoat.log import log
from datamoat.project.model import Project, Table
from datamoat.publish.audit import read_audit
from datamoat.publish.changes import write_change
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, part_of, put_in_place
from datamoat.storage.lake import content_of, identifier, path_of, quoted
from datamoat.storage.warehouse import Published, kept_builds, published_build

STORAGE_VERSION = "v1.2.0"
KEPT_BUILDS = 3
KEYED_ROWS = 500_000  # above this a key's index would outweigh the data; uniqueness is audited either way


def publish_warehouse(settings: Settings, project: Project) -> Published:
    """Put the audited build where readers look.

    Raises:
        PublishRefusedError: The build was not audited, failed its audit, or could not be written; the published file
            is as it was.
    """
    build, audit = read_build(settings.lake), read_audit(settings.lake)
    if audit.build_id != build.build_id:
        raise PublishRefusedError(
            f"the audit is of build {audit.build_id}, and the lake holds {build.build_id}",
            str(settings.lake),
            "run `datamoat audit`.",
        )
    if audit.critical:
        raise PublishRefusedError(
            f"build {build.build_id} failed {len(audit.critical)} critical claim(s)",
            str(settings.lake / "audit.json"),
            "run `datamoat audit` to see them; mend them first.",
        )
    began = time.perf_counter()
    current = published_build(settings.published)
    if current is not None and (current.build_id, _hashes(settings.published)) == (build.build_id, _hashes_of(build)):
        log.info("publication", build_id=build.build_id, is_new=False, seconds=round(time.perf_counter() - began, 3))
        return Published(current.build_id, current.as_of, settings.published, current.n_bytes, is_new=False)
    part = part_of(settings.published)
    try:
        settings.warehouse.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        _write(settings, project, build, part)
        _compare(part, build)
        _keep_and_swap(settings, build.build_id, part)
    except (OSError, duckdb.IOException) as failure:
        part.unlink(missing_ok=True)
        raise cannot_write(settings.published, failure if isinstance(failure, OSError) else OSError(str(failure))) from failure
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    published = Published(build.build_id, build.as_of, settings.published, settings.published.stat().st_size)
    n_rows = sum(table["n_rows"] for name, table in build.tables.items() if name.startswith("marts."))
    facts = {"is_new": True, "rows": n_rows, "bytes": published.n_bytes, "as_of": build.as_of.isoformat()}
    log.info("publication", build_id=build.build_id, **facts, seconds=round(time.perf_counter() - began, 3))
    return published


def rollback(settings: Settings, build_id: str | None = None) -> Published:
    """Let an earlier build take the place of the published one; the later build stays kept.

    Args:
        settings: Where things are.
        build_id: Which build; None takes the newest that is not published now.

    Raises:
        UsageError: That build is not kept, or there is no earlier one.
    """
    current = published_build(settings.published)
    others = [build for build in kept_builds(settings) if current is None or build.build_id != current.build_id]
    wanted = next((build for build in others if build_id in (None, build.build_id)), None)
    if wanted is None:
        raise UsageError(
            f"build {build_id} is not kept" if build_id else "there is no earlier build to go back to",
            str(settings.warehouse / "builds"),
            f"choose one of {[build.build_id for build in others]}.",
        )
    part = part_of(settings.published)
    _link_or_copy(wanted.path, part)
    put_in_place(part, settings.published)
    return Published(wanted.build_id, wanted.as_of, settings.published, wanted.n_bytes)


def _write(settings: Settings, project: Project, build: Build, part: Path) -> None:
    """Write the whole database to `part`."""
    with duckdb.connect(config={"threads": str(settings.threads), "memory_limit": settings.memory_limit}) as con:
        con.execute(f"attach {quoted(str(part))} as warehouse (storage_version {quoted(STORAGE_VERSION)})")
        con.execute("use warehouse")
        con.execute("create schema marts")
        con.execute("create schema meta")
        for table in project.marts:
            _create(con, table, path_of(settings.lake, table.id), build)
            con.execute(f"comment on table {table.id} is {quoted(_comment(table))}")
            for name, kind in [row[:2] for row in con.sql(f"describe {table.id}").fetchall()]:
                column = project.columns[name]
                text = f"{column.description} [{column.unit}]" if column.unit else column.description
                con.execute(f"comment on column {table.id}.{identifier(name)} is {quoted(text)}")
                del kind
        for name, text in META_TABLES.items():
            con.execute(f"create table meta.{name} as from read_parquet({quoted(str(path_of(settings.lake, f'meta.{name}')))})")
            con.execute(f"comment on table meta.{name} is {quoted(text)}")
        write_change(con, settings.published, project.build)
        for macro in project.macros:
            con.execute(macro.sql)
            kind = "macro table" if " as table" in macro.sql.lower() else "macro"
            con.execute(f"comment on {kind} marts.{macro.name} is {quoted(' '.join(macro.description.split()))}")
        con.execute("use memory")
        con.execute("checkpoint warehouse")
        con.execute("detach warehouse")


def _create(con: duckdb.DuckDBPyConnection, table: Table, parquet: Path, build: Build) -> None:
    """Create one mart with its key and nulls declared, and fill it in the order of its grain."""
    source = f"read_parquet({quoted(str(parquet))})"
    columns = [(row[0], row[1]) for row in con.sql(f"describe select * from {source}").fetchall()]
    declared = [f"{identifier(n)} {kind}{'' if n in table.nullable else ' not null'}" for n, kind in columns]
    if build.tables[table.id]["n_rows"] <= KEYED_ROWS:
        declared.append(f"primary key ({', '.join(identifier(name) for name in table.grain)})")
    con.execute(f"create table {table.id} ({', '.join(declared)})")
    con.execute(f"insert into {table.id} from {source}")


def _comment(table: Table) -> str:
    """Return what a client shows of a table."""
    return " ".join([table.description, f"One row for each {', '.join(table.grain)}.", *(f"Beware: {c}" for c in table.caveats)])


def _compare(part: Path, build: Build) -> None:
    """Open what was written and compare every mart with the build."""
    with duckdb.connect(str(part), read_only=True) as con:
        for table_id, measured in build.tables.items():
            if table_id.startswith("marts.") and content_of(con, table_id) != measured["content_hash"]:
                raise PublishRefusedError(
                    f"{table_id} in the new file is not what was built",
                    str(part),
                    "run `datamoat run` again; if it repeats, check the disk.",
                )


def _keep_and_swap(settings: Settings, build_id: str, part: Path) -> None:
    """Keep the new build under its own name, swap it in, and let the oldest go."""
    kept = settings.warehouse / "builds" / f"datamoat-{build_id}.duckdb"
    kept.parent.mkdir(parents=True, exist_ok=True)
    spare = part_of(kept)
    _link_or_copy(part, spare)
    put_in_place(spare, kept)
    if settings.published.is_file() and published_build(settings.published) is None:
        settings.published.replace(settings.warehouse / "set-aside.duckdb")  # not one of ours, or broken: for a person to see
    put_in_place(part, settings.published)
    for older in kept_builds(settings)[KEPT_BUILDS:]:
        older.path.unlink(missing_ok=True)


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name; copy it where the disk knows no links. No one ever writes to a published file."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _hashes(path: Path) -> dict[str, str]:
    """Return the content hashes a published file states."""
    with duckdb.connect(str(path), read_only=True) as con:
        return dict(con.sql("select table_name, content_hash from meta.models where layer = 'marts'").fetchall())


def _hashes_of(build: Build) -> dict[str, str]:
    """Return the content hashes of a build's marts."""
    return {
        table_id.split(".")[1]: str(measured["content_hash"])
        for table_id, measured in json.loads(json.dumps(build.tables)).items()
        if table_id.startswith("marts.")
    }
