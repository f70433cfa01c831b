"""Audited lake → one commented DuckDB file, swapped in under live readers.

The file is written beside the published one, closed, opened again and compared with the build, retained with a manifest
that states its hash, and a copy is renamed over the published file: a reader who has the old file open keeps it, the
next one sees the new. Files are read-only. The storage version is the oldest one that ties a client's log to one
database, so that a log left behind is refused by any client, not replayed; DuckDB from 1.4 on can open it.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from datamoat.build.meta_tables import META_TABLES
from datamoat.build.record import Build, check_lake, read_build
from datamoat.errors import PublishRefusedError, UsageError
from datamoat.log import log
from datamoat.project.model import Project, Table
from datamoat.publish.changes import write_change
from datamoat.publish.macros import ELSEWHERE, stored_macro
from datamoat.publish.results import read_audit
from datamoat.settings import Settings
from datamoat.storage.clients import remove_log
from datamoat.storage.files import cannot_write, part_of, sha256_of
from datamoat.storage.lake import columns_of, identifier, lake_connection, other_rows, parquet, path_of, quoted
from datamoat.storage.pointer import announce, check_pointer, pull_published
from datamoat.storage.warehouse import (
    Published,
    check_retained,
    copy_read_only,
    intact_ids,
    is_intact,
    next_number,
    published_build,
    restore_retained,
    retained_builds,
    swap_in,
)

STORAGE_VERSION = "v1.4.0"
RETAINED_BUILDS = 3
MEMORY = "250MB"  # while it is written; what changed is a join and a sort of half a million rows of text, which spill as fast
KEYED_ROWS = 500_000  # above this a key's index would outweigh the data; uniqueness is audited either way


def publish_warehouse(settings: Settings, project: Project) -> Published:
    """Put the audited build where readers look.

    Raises:
        ModelFailedError: A file of the lake is not what was built.
        PublishRefusedError: The build was not audited, failed its audit, or could not be written; the published file
            is as it was.
        BusyError: A program holds the published file for writing.
    """
    began = time.perf_counter()
    published = _publish(settings, project)
    n_rows = sum(table["n_rows"] for table in published.tables.values())
    facts = {"is_new": published.is_new, "rows": n_rows, "bytes": published.n_bytes, "as_of": published.as_of.isoformat()}
    log.info(
        "publication", build_id=published.build_id, **facts, hash=published.sha256, seconds=round(time.perf_counter() - began, 3)
    )
    return published


def rollback(settings: Settings, build_id: str | None = None) -> Published:
    """Publish an earlier build again; the later build stays retained.

    Args:
        settings: Where things are.
        build_id: Which build; None takes the newest intact one published before the current one, or of all if there is none.

    Raises:
        UsageError: That build is not retained, or there is no earlier one.
        PublishRefusedError: Its file is damaged.
        BusyError: A program holds the published file for writing.
    """
    pull_published(settings)
    current = published_build(settings)
    others = [build for build in retained_builds(settings) if current is None or build.build_id != current.build_id]
    earlier = [build for build in others if build_id or current is None or build.number < current.number] or others
    candidates = [build for build in earlier if build_id in (None, build.build_id)]
    wanted = next(filter(is_intact, candidates), candidates[0] if candidates else None)
    if wanted is None:
        raise UsageError(
            f"build {build_id} is not retained" if build_id else "there is no earlier build to go back to",
            str(settings.warehouse / "builds"),
            _choice([one for one in intact_ids(settings) if current is None or one != current.build_id], current),
        )
    check_retained(wanted)
    for build in candidates[: candidates.index(wanted)]:
        log.warning("damaged", build_id=build.build_id, path=str(build.path), gone_back_to=wanted.build_id)
    announce(settings, wanted, RETAINED_BUILDS)
    _swap_in_copy(settings, wanted)
    return wanted


def _choice(build_ids: list[str], current: Published | None) -> str:
    """Return which builds can be gone back to, in a sentence."""
    if build_ids:
        return f"choose one of {', '.join(build_ids)}."
    return (
        f"nothing is to do: {current.build_id} is the only build here." if current else "`datamoat run` publishes the first one."
    )


def _publish(settings: Settings, project: Project) -> Published:
    """Compare the build with its audit and with what is published; write and swap in a new file if it differs."""
    build, audit = read_build(settings.lake), read_audit(settings.lake)
    if audit.build_id != build.build_id:
        raise PublishRefusedError(
            f"the audit is of build {audit.build_id}, and the lake holds {build.build_id}",
            str(settings.lake),
            "run `datamoat audit`.",
        )
    if audit.critical:
        raise PublishRefusedError(
            f"build {build.build_id} failed {len(audit.critical)} critical check(s)",
            str(settings.lake / "audit.json"),
            "run `datamoat audit` to see them; correct what they name first.",
        )
    check_lake(settings.lake, build)
    tables = {
        table_id.removeprefix("marts."): {"n_rows": measured["n_rows"], "content_hash": measured["content_hash"]}
        for table_id, measured in build.tables.items()
        if table_id.startswith("marts.")
    }
    check_pointer(settings, build.build_id, tables)
    current = published_build(settings)
    if current is not None and (current.build_id, current.tables) == (build.build_id, tables):
        announce(settings, current, RETAINED_BUILDS)
        remove_log(settings)
        if current.made_from != build.made_from:
            current = replace(current, made_from=build.made_from)
            current.write_manifest()
        return replace(current, is_new=False)
    part = part_of(settings.published)
    try:
        settings.warehouse.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        others = [one for one in retained_builds(settings) if is_intact(one)]
        _check_repeated(build, tables, others, settings)
        if current is None and (again := next((o for o in others if (o.build_id, o.tables) == (build.build_id, tables)), None)):
            announce(settings, again, RETAINED_BUILDS)
            _swap_in_copy(settings, again)  # the published file was damaged, and what was published is still here
            return again
        if current is not None and current not in others:
            restore_retained(settings, current)
        previous = current or next((one for one in others if one.build_id != build.build_id), None)
        _write(settings, project, build, previous, part)
        _compare(part, tables)
        return _retain_and_swap(settings, build, tables, part)
    except (OSError, duckdb.IOException) as failure:
        raise cannot_write(settings.published, failure if isinstance(failure, OSError) else OSError(str(failure))) from failure
    finally:
        part.unlink(missing_ok=True)


def _check_repeated(build: Build, tables: dict[str, dict[str, Any]], retained: list[Published], settings: Settings) -> None:
    """Refuse a build whose rows differ from those that the same inputs and programs gave when they were published."""
    for one in retained:
        if (one.build_id, one.made_from) == (build.build_id, build.made_from) and one.tables != tables:
            differ = sorted(name for name in tables.keys() | one.tables.keys() if tables.get(name) != one.tables.get(name))
            raise PublishRefusedError(
                f"build {build.build_id} was published with other rows in {', '.join(differ[:5])}, from the same inputs and programs",
                str(settings.lake / "cache"),
                "a cached result was changed: delete that folder and run `datamoat run`; if it repeats, a model is not deterministic.",
            )


def _write(settings: Settings, project: Project, build: Build, previous: Published | None, part: Path) -> None:
    """Write the whole database to `part`, with what changed since the build published before."""
    with lake_connection(replace(settings, memory_limit=MEMORY)) as con:
        con.execute(f"attach {quoted(str(part))} as warehouse (storage_version {quoted(STORAGE_VERSION)})")
        con.execute("use warehouse")
        con.execute("create schema marts")
        con.execute("create schema meta")
        for table in project.marts:
            _create(con, table, path_of(settings.lake, table.id), build)
            con.execute(f"comment on table {table.id} is {quoted(_comment(table))}")
            for name in columns_of(con, table.id):
                column = project.columns[name]
                text = f"{column.description} [{column.unit}]" if column.unit else column.description
                con.execute(f"comment on column {table.id}.{identifier(name)} is {quoted(text)}")
        for name, text in META_TABLES.items():
            con.execute(f"create table meta.{name} as from {parquet(path_of(settings.lake, f'meta.{name}'))}")
            con.execute(f"comment on table meta.{name} is {quoted(text)}")
        write_change(con, previous.path if previous else None, project.build)
        for macro in project.macros:
            con.execute(stored_macro(macro, settings.published.stem))
            about = f"{' '.join(macro.description.split())} {ELSEWHERE}"
            con.execute(f"comment on macro table marts.{macro.name} is {quoted(about)}")
        con.execute("use memory")
        con.execute("detach warehouse")


def _create(con: duckdb.DuckDBPyConnection, table: Table, path: Path, build: Build) -> None:
    """Create one mart with its key and nulls declared, and fill it in the order of its grain."""
    columns = columns_of(con, f"from {parquet(path)}")
    declared = [f"{identifier(n)} {kind}{'' if n in table.nullable else ' not null'}" for n, kind in columns.items()]
    if build.tables[table.id]["n_rows"] <= KEYED_ROWS:
        declared.append(f"primary key ({', '.join(identifier(name) for name in table.grain)})")
    con.execute(f"create table {table.id} ({', '.join(declared)})")
    con.execute(f"insert into {table.id} from {parquet(path)}")


def _comment(table: Table) -> str:
    """Return what a client shows of a table."""
    return " ".join([table.description, f"One row for each {', '.join(table.grain)}.", *(f"Caveat: {c}" for c in table.caveats)])


def _compare(part: Path, tables: dict[str, dict[str, Any]]) -> None:
    """Open what was written and compare every mart with the build."""
    with duckdb.connect(str(part), read_only=True) as con:
        if differ := other_rows(con, tables):
            raise PublishRefusedError(
                f"marts.{differ[0]} in the new file differs from the table that was built",
                str(part),
                "run `datamoat run` again; if it repeats, check the disk.",
            )


def _retain_and_swap(settings: Settings, build: Build, tables: dict[str, dict[str, Any]], part: Path) -> Published:
    """Retain the new file with its manifest, swap a copy in, and remove what is no longer retained."""
    sha256 = sha256_of(part)
    path = settings.warehouse / "builds" / f"datamoat-{build.build_id}-{sha256[:8]}.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = Published(
        build.build_id, build.as_of, next_number(settings), sha256, part.stat().st_size, build.made_from, tables, path
    )
    copy_read_only(part, path)
    new.write_manifest()
    try:
        announce(settings, new, RETAINED_BUILDS)
        _swap_in_copy(settings, new)
    except BaseException:  # what was not published is not retained either
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    retained: set[str] = set()
    for one in retained_builds(settings):
        if one.build_id in retained or len(retained) == RETAINED_BUILDS:
            one.path.with_suffix(".json").unlink(missing_ok=True)
        else:
            retained.add(one.build_id)
    for file in path.parent.glob("datamoat-*.duckdb*"):
        if not (path.parent / f"{file.name.partition('.')[0]}.json").exists():
            file.unlink(missing_ok=True)
    return new


def _swap_in_copy(settings: Settings, build: Published) -> None:
    """Replace the published file by a copy of a retained one."""
    part = part_of(settings.published)
    try:
        shutil.copyfile(build.path, part)
        if sha256_of(part) != build.sha256:
            raise PublishRefusedError(
                f"the copy of build {build.build_id} differs from the retained file",
                str(part),
                "run it again; if it repeats, check the disk.",
            )
        swap_in(settings, part, build)
    finally:
        part.unlink(missing_ok=True)
