"""Run the models in graph order: reference and snapshots in, one Parquet file a table out.

A build is a function of reference facts, snapshots, models and the as-of date. Every table is written in the order of
its grain by one ordered `COPY`, so the same inputs give the same bytes whatever the number of threads. `build.json` is
written last: without it there is no build to audit.
"""

import errno
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datamoat.build import meta_tables
from datamoat.build.cache import CachedResult, cache_key, folder_of
from datamoat.build.inputs import LEFT_OUT_AFTER, constants_of, fingerprint, input_hashes, make_raw_tables, newest_date
from datamoat.build.lineage import lineage
from datamoat.build.polars_models import Workers, run_polars
from datamoat.build.record import BUILD_FILE, Build, read_build
from datamoat.errors import DatamoatError, ModelFailedError
from datamoat.ingest.land import land_all
from datamoat.ingest.landings import landing_rows, raw_folder
from datamoat.log import log, step
from datamoat.project.fingerprint import unfit_versions
from datamoat.project.model import LAYERS, Model, Project, Table
from datamoat.project.reference import input_rows, read_reference
from datamoat.project.sources import read_sources
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, one_lander, part_of, put_in_place, sha256_of, write_whole
from datamoat.storage.lake import JsonCache, columns_of, content_of, identifier, lake_connection, path_of, quoted, view
from datamoat.storage.pointer import pull_published

N_WORKERS = 2  # at once, where there are two threads; each takes up to half a gigabyte


def build_models(settings: Settings, project: Project, as_of: date | None = None) -> Build:
    """Build every table of the project.

    Args:
        settings: Where things are.
        project: What to build.
        as_of: Leave out every input that became public later; None takes all there is.

    Raises:
        ContentError: A reference row or a model is malformed.
        ModelFailedError: A model did not run or did not yield what its header and the dictionary promise, or a library is of a
            version that the package does not declare fit.
    """
    started = time.perf_counter()
    if unfit := unfit_versions():
        raise ModelFailedError(
            f"{len(unfit)} librar{'y is' if len(unfit) == 1 else 'ies are'} of another version than declared: {'; '.join(unfit)}",
            "the environment",
            "install from requirements.lock (`make setup`).",
        )
    recorded = _recorded(settings.lake)
    cached: dict[str, dict[str, str]] = {}
    pull_published(settings)
    (settings.lake / BUILD_FILE).unlink(missing_ok=True)
    made_from = fingerprint(settings, as_of)
    sources = read_sources(project.content)
    land_all(settings, sources)
    facts = read_reference(settings.reference)
    with (
        lake_connection(settings) as con,
        Workers(settings.lake, n=N_WORKERS if settings.threads > 1 else 0) as workers,
    ):
        for schema in ("raw", "meta", *LAYERS):
            con.execute(f"create schema {schema}")
        with one_lander(raw_folder(settings)):  # what is read here is all of one state
            inputs = input_hashes(settings, project, facts)
            make_raw_tables(con, settings, project, sources, facts, as_of)
            landed = landing_rows(settings, sources)
        if as_of is not None:
            inputs[LEFT_OUT_AFTER] = as_of.isoformat()
        as_of = as_of or newest_date(con, project)
        inputs["as_of"] = as_of.isoformat()
        con.execute(f"set variable as_of = date {quoted(as_of.isoformat())}")
        constants = constants_of(project, as_of)
        tables: dict[str, dict[str, Any]] = {}
        known = meta_tables.input_tables(sources, landed, facts)
        known["input_rows"] = input_rows(settings.reference, facts)
        meta = {name: _store_frame(con, settings.lake, f"meta.{name}", frame) for name, frame in known.items()}
        hashes = {f"meta.{name}": sha256 for name, sha256 in meta.items()}
        contents = JsonCache(settings.lake / "cache" / "contents.json")
        for n, model in enumerate(project.models, start=1):
            name = f"{model.layer}.{model.name}"
            _start_ahead(settings, project.models[n - 1 :], constants, hashes, workers)
            with step("model", model=name, n=n, of=len(project.models)) as logged, _failures_named(settings, model):
                began = time.perf_counter()
                is_cached = _run(con, settings, project, model, constants, hashes, recorded, cached, workers)
                seconds = round(time.perf_counter() - began, 3)
                for table in model.tables:
                    tables[table.id] = _measure(con, settings.lake, table, seconds, hashes[table.id], contents)
                logged |= {
                    "rows": sum(tables[table.id]["n_rows"] for table in model.tables),
                    "hash": _joint_hash([hashes[table.id] for table in model.tables]),
                    "is_cached": is_cached,
                }
        contents.save()
        digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
        build_id, built_at = f"{as_of:%Y%m%d}-{digest[:8]}", datetime.now(UTC).replace(microsecond=0)
        build = Build(build_id, as_of, built_at, inputs, tables, _plain(constants), meta, made_from, cached)
        found = {table_id: columns_of(con, table_id) for table_id in project.tables}
        more = meta_tables.output_tables(project, build, found)
        more["lineage"] = lineage(project, found, settings.lake)
        meta |= {name: _store_frame(con, settings.lake, f"meta.{name}", frame) for name, frame in more.items()}
    build.write(settings.lake / BUILD_FILE)
    about = {"build_id": build.build_id, "tables": len(tables), "as_of": as_of.isoformat(), "hash": digest}
    log.info("build", **about, seconds=round(time.perf_counter() - started, 3))
    return build


@contextmanager
def _failures_named(settings: Settings, model: Model) -> Iterator[None]:
    """Turn what an engine or the disk raises into an error that names the model or the file."""
    path = path_of(settings.lake, model.tables[0].id)
    try:
        yield
    except (duckdb.Error, pl.exceptions.PolarsError, pa.ArrowException) as failure:
        if os.strerror(errno.ENOSPC) in str(failure):  # the engines wrap the error of the disk in errors of their own
            raise cannot_write(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from failure
        raise ModelFailedError(
            f"{model.layer}.{model.name} did not run: {str(failure).strip()}",
            str(model.path),
            "correct the model; `datamoat query` shows what the published tables hold.",
        ) from failure
    except OSError as failure:
        raise cannot_write(path, failure) from failure


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
                f"column {name!r} of {table.id} is {kind}, and the dictionary states {column.type}",
                str(where),
                f"cast it (`{name}::{column.type}`), or correct transforms/columns.yml.",
            )
    for name in (*table.grain, *sorted(table.nullable)):
        if name not in found and (name in table.grain or len(project.model_of(table.id).tables) == 1):
            raise ModelFailedError(
                f"the header of {table.id} names {name!r}, which is no column of it", str(where), f"columns: {list(found)}."
            )


def _run(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    project: Project,
    model: Model,
    constants: dict[str, Any],
    hashes: dict[str, str],
    recorded: dict[str, dict[str, str]],
    taken_from: dict[str, dict[str, str]],
    workers: Workers,
) -> bool:
    """Run one model, or take its cached result, and let its tables' names stand for the files. Return whether it was cached."""
    lake = settings.lake
    taken = _taken(model, constants)
    cached = CachedResult(folder_of(lake, model, cache_key(model, taken, hashes))) if model.is_cached else None
    if model.is_sql:
        check_declared(project, model.tables[0], columns_of(con, model.text), model.path)
    place = cached.folder.relative_to(lake).as_posix() if cached else ""
    stated, problem = cached.hashes(recorded.get(place)) if cached else ({}, None)
    if problem:
        log.warning("damaged", problem=problem, fix=f"{model.layer}.{model.name} is computed again")
    is_cached = bool(stated)
    if not is_cached:
        paths = {table.name: cached.file(table.name) if cached else path_of(lake, table.id) for table in model.tables}
        if model.is_sql:
            _copy_ordered(con, paths[model.name], model.tables[0], f"({model.text})")
        elif not (model.is_cached and workers.has_made(model, taken, paths)):
            run_polars(lake, model, taken, paths)
        stated = {name: sha256_of(path) for name, path in paths.items()}
        if cached:
            cached.save(stated)
    if cached:
        taken_from[place] = stated
    for table in model.tables:
        if cached:
            cached.link(table.name, path_of(lake, table.id))
        view(con, table.id, path_of(lake, table.id))
        hashes[table.id] = stated[table.name]
        if not model.is_sql:
            check_declared(project, table, columns_of(con, table.id), model.path)
    return is_cached


def _start_ahead(
    settings: Settings, models: tuple[Model, ...], constants: dict[str, Any], hashes: dict[str, str], workers: Workers
) -> None:
    """Let free processes compute expensive models whose tables are there and whose results are not: those whose turn is last first."""
    for model in reversed(models):
        if model.is_cached and not model.is_sql and hashes.keys() >= set(model.reads) and workers.may_start(model):
            taken = _taken(model, constants)
            cached = CachedResult(folder_of(settings.lake, model, cache_key(model, taken, hashes)))
            if not cached.hashes()[0]:
                workers.start(model, taken, {table.name: cached.file(table.name) for table in model.tables})


def _recorded(lake: Path) -> dict[str, dict[str, str]]:
    """Return the hashes of the cached results that the last build took or made; none where there is no record of one."""
    try:
        return read_build(lake).cached
    except (DatamoatError, KeyError, TypeError):
        return {}


def _copy_ordered(con: duckdb.DuckDBPyConnection, path: Path, table: Table, relation: str) -> None:
    """Write a relation as Parquet in the order of its grain."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    order = ", ".join(identifier(column) for column in table.grain)
    con.execute(f"copy (select * from {relation} order by {order}) to {quoted(str(part))} (format parquet, compression zstd)")
    put_in_place(part, path)


def _taken(model: Model, constants: dict[str, Any]) -> dict[str, Any]:
    """Return what a model takes beside tables: `settings` (transforms/build.yml) and `as_of`."""
    settings = {key: value for key, value in constants.items() if key != "as_of"}
    return {name: {"settings": settings, "as_of": constants["as_of"]}[name] for name in model.constants}


def _plain(constants: dict[str, Any]) -> dict[str, Any]:
    """Return the constants of a build as JSON knows them."""
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in constants.items()}


def _store_frame(con: duckdb.DuckDBPyConnection, lake: Path, table_id: str, frame: pl.DataFrame) -> str:
    """Write an engine's own table into the lake and return the hash of the file."""
    path, buffer = path_of(lake, table_id), io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_whole(path, buffer.getvalue())
    view(con, table_id, path)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _measure(
    con: duckdb.DuckDBPyConnection, lake: Path, table: Table, seconds: float, sha256: str, contents: JsonCache
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
