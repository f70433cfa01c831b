"""Run the models in graph order: reference and snapshots in, one Parquet file a table out.

A build is a function of reference facts, snapshots, models and the as-of date. Every table is written in the order of
its grain by one ordered `COPY`, so the same inputs give the same bytes whatever the number of threads. `build.json` is
written last: without it there is no build to audit.
"""

import errno
import hashlib
import importlib.util
import io
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import datamoat
from datamoat.build import meta_tables
from datamoat.errors import ContentError, DatamoatError, ModelFailedError
from datamoat.ingest.land import land_all
from datamoat.ingest.landings import landing_rows, raw_relations
from datamoat.log import log, step
from datamoat.project.fingerprint import code_hash, versions
from datamoat.project.model import LAYERS, Model, Project, Table
from datamoat.project.read import content_hash
from datamoat.project.reference import ReferenceTable, input_rows, read_reference
from datamoat.project.sources import read_sources
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, part_of, put_in_place, write_json, write_whole
from datamoat.storage.lake import Known, content_of, identifier, lake_connection, path_of, quoted, view

BUILD_FILE = "build.json"
HASHES = "hashes.json"  # of a kept result; written last, so that half a result is none
KEPT_RESULTS = 3
NO_SETTING = {"known", "public", "causes"}  # of transforms/build.yml: what is about inputs, not about models


@dataclass(frozen=True)
class Build:
    """What one build made, as kept in `build.json`.

    Attributes:
        build_id: The as-of date and the first eight hex digits of the hash of all inputs.
        as_of: The newest date in the inputs, or the date asked for.
        inputs: Hash by input: each reference file, the served snapshots, the content tree, the engine.
        tables: By table id: rows, content hash (marts only), seconds, bytes.
    """

    build_id: str
    as_of: date
    built_at: datetime
    inputs: dict[str, str] = field(hash=False)
    tables: dict[str, dict[str, Any]] = field(hash=False)
    settings: dict[str, Any] = field(hash=False)

    def write(self, path: Path) -> None:
        """Keep it, whole or not at all."""
        known = {**self.__dict__, "as_of": self.as_of.isoformat(), "built_at": self.built_at.isoformat()}
        write_json(path, known)


def read_build(lake: Path) -> Build:
    """Return the build in the lake.

    Raises:
        ModelFailedError: There is none, or the last one did not finish.
    """
    try:
        known = json.loads((lake / BUILD_FILE).read_text())
    except (OSError, ValueError) as failure:
        raise ModelFailedError("there is no finished build", str(lake / BUILD_FILE), "run `datamoat build`.") from failure
    return Build(**{**known, "as_of": date.fromisoformat(known["as_of"]), "built_at": datetime.fromisoformat(known["built_at"])})


def build_models(settings: Settings, project: Project, as_of: date | None = None) -> Build:
    """Build every table of the project.

    Args:
        settings: Where things are.
        project: What to build.
        as_of: Leave out every input that became public later; None takes all there is.

    Raises:
        ContentError: A reference row or a model is malformed.
        ModelFailedError: A model did not run or did not yield what its header and the dictionary promise.
    """
    started = time.perf_counter()
    (settings.lake / BUILD_FILE).unlink(missing_ok=True)
    sources = read_sources(project.content)
    land_all(settings, sources)
    facts = read_reference(settings.reference)
    with lake_connection(settings) as con:
        for schema in ("raw", "meta", *LAYERS):
            con.execute(f"create schema {schema}")
        inputs = input_hashes(settings, project, facts)
        _raw_tables(con, settings, project, sources, facts, as_of)
        as_of = as_of or _newest_date(con, project)
        inputs["as_of"] = as_of.isoformat()
        con.execute(f"set variable as_of = date {quoted(as_of.isoformat())}")
        constants = {**{key: value for key, value in project.build.items() if key not in NO_SETTING}, "as_of": as_of}
        tables: dict[str, dict[str, Any]] = {}
        hashes: dict[str, str] = {}
        contents = Known(settings.lake / "cache" / "contents.json")
        known_before = meta_tables.input_tables(sources, landing_rows(settings, sources), facts)
        known_before["input_rows"] = input_rows(settings.reference, facts)
        for name, frame in known_before.items():
            _store_frame(con, settings.lake, f"meta.{name}", frame)
            hashes[f"meta.{name}"] = _file_hash(path_of(settings.lake, f"meta.{name}"))
        for n, model in enumerate(project.models, start=1):
            with step("model", model=f"{model.layer}.{model.name}", n=n, of=len(project.models)) as facts_of:
                began = time.perf_counter()
                is_cached = _run_or_explain(con, settings, project, model, constants, hashes)
                seconds = round(time.perf_counter() - began, 3)
                for table in model.tables:
                    tables[table.id] = _measure(con, settings.lake, table, seconds, hashes[table.id], contents)
                facts_of |= {
                    "rows": sum(tables[table.id]["n_rows"] for table in model.tables),
                    "hash": _joint_hash([hashes[table.id] for table in model.tables]),
                    "is_cached": is_cached,
                }
        contents.keep()
        digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
        build = Build(
            f"{as_of:%Y%m%d}-{digest[:8]}", as_of, datetime.now(UTC).replace(microsecond=0), inputs, tables, _plain(constants)
        )
        for name, frame in meta_tables.output_tables(con, project, build, settings.lake).items():
            _store_frame(con, settings.lake, f"meta.{name}", frame)
    build.write(settings.lake / BUILD_FILE)
    about = {"build_id": build.build_id, "tables": len(tables), "as_of": as_of.isoformat(), "hash": digest}
    log.info("build", **about, seconds=round(time.perf_counter() - started, 3))
    return build


def check_declared(project: Project, table: Table, found: dict[str, str], where: Path) -> None:
    """Compare a table's columns with the dictionary and its header.

    Raises:
        ModelFailedError: A column has no definition, another type, or the header names one that is not there.
    """
    for name, kind in found.items():
        column = project.columns.get(name)
        if column is None:
            raise ModelFailedError(
                f"column {name!r} of {table.id} has no definition",
                str(where),
                f"add it to transforms/columns.yml (its type here is {kind}), or use an existing name that means the same.",
            )
        if column.type != kind:
            raise ModelFailedError(
                f"column {name!r} of {table.id} is {kind}, and the dictionary says {column.type}",
                str(where),
                f"cast it (`{name}::{column.type}`), or correct transforms/columns.yml.",
            )
    for name in (*table.grain, *sorted(table.nullable)):
        if name not in found and (name in table.grain or len(project.model_of(table.id).tables) == 1):
            raise ModelFailedError(
                f"the header of {table.id} names {name!r}, which is no column of it", str(where), f"columns: {list(found)}."
            )


def input_hashes(settings: Settings, project: Project, facts: tuple[ReferenceTable, ...]) -> dict[str, str]:
    """Return the hash of everything a build is a function of."""
    served = sorted(
        (str(row["source_id"]), str(row["request"]), str(row["snapshot_id"]), str(row["validation_status"]))
        for row in landing_rows(settings, read_sources(project.content))
    )
    return {
        **{f"reference/{table.name}.csv": table.sha256 for table in facts},
        "snapshots": hashlib.sha256(json.dumps(served).encode()).hexdigest(),
        "content": content_hash(project),
        "code": code_hash(*(model.path for model in project.models if not model.is_sql)),
        "settings": hashlib.sha256(json.dumps(_plain(project.build), sort_keys=True, default=str).encode()).hexdigest(),
        "engine": datamoat.__version__,
        **versions(),
    }


def _raw_tables(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    project: Project,
    sources: tuple[Any, ...],
    facts: tuple[ReferenceTable, ...],
    as_of: date | None,
) -> None:
    """Make `raw.…` of the reference facts and of every served snapshot; with `as_of`, only what was public then."""
    known = dict(project.build.get("known") or {})
    for fact in facts:
        frame = fact.frame
        con.register("_incoming", frame.to_arrow())
        con.execute(f"create table raw.reference__{fact.name} as from _incoming")
        con.unregister("_incoming")
    for name, relation in raw_relations(settings, sources).items():
        columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in relation.columns.items())
        con.execute(f"create table raw.{name} ({columns})")
        if relation.paths:
            files = "[" + ", ".join(quoted(str(path)) for path in relation.paths) + "]"
            wanted = ", ".join(f"{identifier(column)}::{kind}" for column, kind in relation.columns.items())
            con.execute(f"insert into raw.{name} select {wanted} from read_parquet({files}, union_by_name = true)")
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


def _newest_date(con: duckdb.DuckDBPyConnection, project: Project) -> date:
    """Return the newest date among the inputs that say when they became public."""
    known = project.build.get("known") or {}
    found = [
        con.sql(f"select max(({expression})::date) AS newest from raw.{name}").fetchall()[0][0]
        for name, expression in known.items()
    ]
    newest = [value for value in found if isinstance(value, date)]
    if not newest:
        raise ContentError(
            "no input says when it became public", str(project.content / "transforms" / "build.yml"), "fill `known:`."
        )
    return max(newest)


def _run_or_explain(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    project: Project,
    model: Model,
    constants: dict[str, Any],
    hashes: dict[str, str],
) -> bool:
    """Run one model; what an engine or the disk raises becomes one of our errors. Return whether a cached result was used."""
    try:
        return _run(con, settings, project, model, constants, hashes)
    except (duckdb.Error, pl.exceptions.PolarsError, pa.ArrowException) as failure:
        if os.strerror(errno.ENOSPC) in str(failure):  # the engines wrap the disk's error in errors of their own
            refused = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise cannot_write(path_of(settings.lake, model.tables[0].id), refused) from failure
        raise ModelFailedError(
            f"{model.layer}.{model.name} did not run: {str(failure).strip()}",
            str(model.path),
            "fix the model; `datamoat query` shows what the published tables hold.",
        ) from failure
    except OSError as failure:
        raise cannot_write(path_of(settings.lake, model.tables[0].id), failure) from failure


def _run(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    project: Project,
    model: Model,
    constants: dict[str, Any],
    hashes: dict[str, str],
) -> bool:
    """Run one model, or find its cached result, and let its tables' names stand for the files. Return whether it was cached."""
    lake = settings.lake
    key = _kept_key(model, constants, hashes) if model.is_cached else None
    kept = lake / "cache" / model.name / key if key else None
    known = _read_hashes(kept) if kept else {}
    is_cached = bool(known)
    if model.is_sql:
        found = {row[0]: row[1] for row in con.sql(f"describe {model.text}").fetchall()}
        check_declared(project, model.tables[0], found, model.path)
    if not known:
        if model.is_sql:
            _copy_ordered(con, _stored(lake, kept, model.tables[0]), model.tables[0], f"({model.text})")
        else:
            _run_polars(settings, model, constants, kept)
        known = {table.name: _file_hash(_stored(lake, kept, table)) for table in model.tables}
        if kept:
            write_json(kept / HASHES, known)
            for older in sorted(kept.parent.iterdir(), key=lambda folder: folder.stat().st_mtime)[:-KEPT_RESULTS]:
                shutil.rmtree(older, ignore_errors=True)
    for table in model.tables:
        if kept:
            _link(_stored(lake, kept, table), path_of(lake, table.id))
        view(con, table.id, path_of(lake, table.id))
        hashes[table.id] = known[table.name]
        if not model.is_sql:
            found = {row[0]: row[1] for row in con.sql(f"describe {table.id}").fetchall()}
            check_declared(project, table, found, model.path)
    return is_cached


def _stored(lake: Path, kept: Path | None, table: Table) -> Path:
    """Return where a model's table is written: in the lake, or where kept results are."""
    return kept / f"{table.name}.parquet" if kept else path_of(lake, table.id)


def _read_hashes(kept: Path) -> dict[str, str]:
    """Return the hashes of a kept result, written last; nothing where there is no whole result."""
    try:
        known: dict[str, str] = json.loads((kept / HASHES).read_text())
    except (OSError, ValueError):
        return {}
    return known if all((kept / f"{name}.parquet").is_file() for name in known) else {}


def _copy_ordered(con: duckdb.DuckDBPyConnection, path: Path, table: Table, relation: str) -> None:
    """Write a relation as Parquet in the order of its grain."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    order = ", ".join(identifier(column) for column in table.grain)
    con.execute(f"copy (select * from {relation} order by {order}) to {quoted(str(part))} (format parquet, compression zstd)")
    put_in_place(part, path)


def _run_polars(settings: Settings, model: Model, constants: dict[str, Any], kept: Path | None) -> None:
    """Call a Polars model and store what it returns, in the order of the grain."""
    specification = importlib.util.spec_from_file_location(model.name, model.path)
    if specification is None or specification.loader is None:  # pragma: no cover  (a .py path always has a loader)
        raise ModelFailedError(f"{model.name} cannot be loaded", str(model.path), "mend the file.")
    module = importlib.util.module_from_spec(specification)
    given: dict[str, Any] = {read.split(".")[1]: pl.scan_parquet(path_of(settings.lake, read)) for read in model.reads}
    try:
        specification.loader.exec_module(module)
        given |= _constants_of(model, constants)
        result = module.model(**given)
    except (DatamoatError, OSError, duckdb.Error, pl.exceptions.PolarsError, pa.ArrowException):
        raise
    except Exception as failure:
        raise ModelFailedError(
            f"{model.layer}.{model.name} did not run: {type(failure).__name__}: {failure}", str(model.path), "mend the model."
        ) from failure
    frames = result if isinstance(result, dict) else {model.tables[0].name: result}
    if set(frames) != {table.name for table in model.tables}:
        raise ModelFailedError(
            f"{model.name} returned {sorted(frames)}, and its header promises {sorted(t.name for t in model.tables)}",
            str(model.path),
            "return one frame for each table.",
        )
    for table in model.tables:
        path = _stored(settings.lake, kept, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        frame = frames.pop(table.name)
        if isinstance(frame, pa.Table):
            pq.write_table(frame.sort_by([(name, "ascending") for name in table.grain]), part, compression="zstd")
        else:
            frame = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
            missing = [name for name in table.grain if name not in frame.columns]
            if missing:
                raise ModelFailedError(
                    f"{table.id} has no column {missing[0]!r}, which its grain names",
                    str(model.path),
                    f"columns: {frame.columns}.",
                )
            ordered = frame if _in_order(frame, table.grain) else frame.sort(table.grain, maintain_order=True)
            ordered.write_parquet(part, compression="zstd")
        put_in_place(part, path)


def _in_order(frame: pl.DataFrame, grain: tuple[str, ...]) -> bool:
    """Return whether the rows already stand in the order of the grain: sorting would copy millions of them for nothing."""
    later = pl.lit(value=False)
    for name in reversed(grain):
        this, before = pl.col(name), pl.col(name).shift(1)
        later = (this > before) | ((this == before) & later)
    return frame.height < 2 or bool(frame.select(later.slice(1).all()).item())  # noqa: PLR2004


def _kept_key(model: Model, constants: dict[str, Any], hashes: dict[str, str]) -> str:
    """Return the hash of everything a kept model's result depends on."""
    code = hashlib.sha256(model.text.encode()).hexdigest() if model.is_sql else code_hash(model.path)
    depends = {read: hashes[read] for read in model.reads}
    taken = {name: str(value) for name, value in _constants_of(model, constants).items()}
    return hashlib.sha256(json.dumps([code, depends, taken, versions()], sort_keys=True).encode()).hexdigest()[:24]


def _constants_of(model: Model, constants: dict[str, Any]) -> dict[str, Any]:
    """Return what a Polars model asks for beside tables: `settings` (transforms/build.yml) and `as_of`."""
    settings = {key: value for key, value in constants.items() if key != "as_of"}
    return {name: {"settings": settings, "as_of": constants["as_of"]}[name] for name in model.constants}


def _plain(constants: dict[str, Any]) -> dict[str, Any]:
    """Return the constants of a build as JSON knows them."""
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in constants.items()}


def _link(kept: Path, path: Path) -> None:
    """Let a kept file stand in the lake too, without a second copy where the disk allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        part.hardlink_to(kept)
    except OSError:
        shutil.copyfile(kept, part)
    part.replace(path)


def _store_frame(con: duckdb.DuckDBPyConnection, lake: Path, table_id: str, frame: pl.DataFrame) -> None:
    """Write an engine's own table into the lake."""
    path, buffer = path_of(lake, table_id), io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_whole(path, buffer.getvalue())
    view(con, table_id, path)


def _measure(
    con: duckdb.DuckDBPyConnection, lake: Path, table: Table, seconds: float, sha256: str, contents: Known
) -> dict[str, Any]:
    """Return rows, bytes, hash and, for a mart, the content hash of a table."""
    measured: dict[str, Any] = {
        "n_rows": pq.read_metadata(path_of(lake, table.id)).num_rows,
        "n_bytes": path_of(lake, table.id).stat().st_size,
        "seconds": seconds,
        "sha256": sha256,
    }
    if table.layer == "marts":
        measured["content_hash"] = contents.get(sha256, lambda: content_of(con, table.id))
    return measured


def _joint_hash(hashes: list[str]) -> str:
    """Return one hash for the tables of a model: that of its table, or of all hashes where there are several."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
