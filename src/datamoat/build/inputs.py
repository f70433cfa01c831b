"""What a build is a function of: the hash of every input, and the inputs as `raw` tables."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from datamoat.build.record import Build, check_lake, read_build
from datamoat.errors import ContentError, ModelFailedError
from datamoat.ingest.decisions import RECORD
from datamoat.ingest.landings import landing_rows, raw_relations
from datamoat.project.fingerprint import OWN, code_hash, package_folder, versions
from datamoat.project.model import Project
from datamoat.project.read import BUILD_FILE, content_hash
from datamoat.project.reference import ReferenceTable
from datamoat.project.sources import Source, read_sources
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, parquet, quoted
from datamoat.storage.snapshots import RECEIPT

LEFT_OUT_AFTER = "left_out_after"  # the input that is there when an as-of date was given
SERVED = (  # what a build is a function of, of what became of a snapshot
    "source_id", "request", "snapshot_id", "validation_status", "decision", "decided_at", "decided_by", "decision_reason",
)  # fmt: skip
NO_SETTING = {"known", "public", "causes"}  # of transforms/build.yml: what is about inputs, not about models


def fingerprint(settings: Settings, as_of: date | None = None) -> str:
    """Return the hash of the bytes of everything that a build, its audit and its publication are a function of.

    It reads files and understands none, so that an unchanged run is known as such before anything is parsed: the content
    tree, the reference facts, the receipts of the snapshots and the decisions about them, the engine and its libraries.

    Args:
        settings: Where things are.
        as_of: The date that was given, if one was.
    """
    digest = hashlib.sha256(json.dumps([versions(), str(as_of)], sort_keys=True).encode())
    packages = [folder for folder in map(package_folder, OWN) if folder is not None]
    for root in (settings.content / "transforms", settings.content / "expectations", settings.reference, *packages):
        for path in _files(root, "*"):
            digest.update(f"{root.name}/{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    for path in [*_files(settings.snapshots, f"*{RECEIPT}"), *_files(settings.snapshots, f"*{RECORD}")]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def current_build(settings: Settings) -> Build:
    """Return the build in the lake, which is whole and what a build of what is here now would make.

    Raises:
        ModelFailedError: There is none, a file of it changed, or it was made from other inputs or code than those here.
    """
    build = read_build(settings.lake)
    check_lake(settings.lake, build)
    if build.made_from != fingerprint(settings, build.as_of if LEFT_OUT_AFTER in build.inputs else None):
        raise ModelFailedError(
            "the build in the lake was made from other facts, responses, decisions, models or code than those here: effects would mix",
            str(settings.lake),
            "run `datamoat build`.",
        )
    return build


def input_hashes(settings: Settings, project: Project, facts: tuple[ReferenceTable, ...]) -> dict[str, str]:
    """Return the hash of everything a build is a function of, by name."""
    served = sorted(
        tuple(str(row[name]) for name in SERVED if row.get(name) is not None)
        for row in landing_rows(settings, read_sources(project.content))
    )
    return {
        **{f"reference/{table.name}.csv": table.sha256 for table in facts},
        "snapshots": hashlib.sha256(json.dumps(served).encode()).hexdigest(),
        "content": content_hash(project),
        "code": code_hash(*(model.path for model in project.models if not model.is_sql)),
        "settings": hashlib.sha256(json.dumps(project.build, sort_keys=True, default=str).encode()).hexdigest(),
        "engine": importlib.metadata.version("datamoat"),
        **versions(),
    }


def make_raw_tables(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    project: Project,
    sources: tuple[Source, ...],
    facts: tuple[ReferenceTable, ...],
    as_of: date | None,
) -> None:
    """Make `raw.…` of the reference facts and of every served snapshot; with `as_of`, only what was public then."""
    known = dict(project.build.get("known") or {})
    for fact in facts:
        con.register("_incoming", fact.frame.to_arrow())
        con.execute(f"create table raw.reference__{fact.name} as from _incoming")
        con.unregister("_incoming")
    for name, relation in raw_relations(settings, sources).items():
        columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in relation.columns.items())
        con.execute(f"create table raw.{name} ({columns})")
        if relation.paths:
            wanted = ", ".join(f"{identifier(column)}::{kind}" for column, kind in relation.columns.items())
            con.execute(f"insert into raw.{name} select {wanted} from {parquet(*relation.paths, by_name=True)}")
        if relation.known:
            known.setdefault(name, relation.known)
    if as_of is None:
        return
    late = [*known.items(), *(project.build.get("public") or {}).items()]
    for i, (name, expression) in enumerate(late):  # computed for all before any row goes: an expression may read other tables
        con.execute(
            f"create temp table _late_{i} as select rowid AS row_id from raw.{name}"
            f" where ({expression}) > date {quoted(as_of.isoformat())}"
        )
    for i, (name, _) in enumerate(late):
        con.execute(f"delete from raw.{name} where rowid in (select row_id from _late_{i})")


def newest_date(con: duckdb.DuckDBPyConnection, project: Project) -> date:
    """Return the newest date among the inputs that state when they became public.

    Raises:
        ContentError: None does, or one is after today, which no input can be.
    """
    known = project.build.get("known") or {}
    found = [
        con.sql(f"select max(({expression})::date) AS newest from raw.{name}").fetchall()[0][0]
        for name, expression in known.items()
    ]
    newest = [value for value in found if isinstance(value, date)]
    if not newest:
        raise ContentError(
            "no table gives the date of its newest row, so the build has no as-of date",
            str(project.content / BUILD_FILE),
            "declare under `known:` a table and the SQL expression of that date, and check that the table has rows.",
        )
    if max(newest) > (today := datetime.now(UTC).date() + timedelta(days=1)):  # a day for other time zones
        raise ContentError(
            f"an input is of {max(newest)}, and today is {today - timedelta(days=1)}",
            str(project.content / BUILD_FILE),
            "`datamoat check` names the row; if the row is right, set this machine's clock.",
        )
    return max(newest)


def constants_of(project: Project, as_of: date) -> dict[str, Any]:
    """Return what models may take beside tables: the settings of transforms/build.yml, and `as_of`."""
    return {**{key: value for key, value in project.build.items() if key not in NO_SETTING}, "as_of": as_of}


def _files(root: Path, pattern: str) -> Iterator[Path]:
    """Yield the files below a folder in the order of their paths, without what is hidden or compiled."""
    for path in sorted(root.rglob(pattern)):
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(root).parts):
            yield path
