"""Checks that are generated: from a table's header, the dictionary, and the rows of the last published build."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from datamoat.build.record import Build
from datamoat.project.model import Project, Table
from datamoat.publish.results import Result
from datamoat.settings import Settings
from datamoat.storage.lake import columns_of, identifier, quoted
from datamoat.storage.warehouse import published_build

SHOWN_ROWS = 5  # how many offending rows a result names


def cache_key(project: Project, table: Table, build: Build) -> str:
    """Return the hash of a table's bytes and of everything that is checked of it."""
    words = {name: column.values for name, column in project.columns.items() if column.values}
    header = (table.id, table.grain, sorted(table.nullable), table.min_rows, table.max_rows)
    checked = [build.tables[table.id]["sha256"], header, words, Path(__file__).read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(checked).encode()).hexdigest()


def contract(con: duckdb.DuckDBPyConnection, project: Project, table: Table) -> list[dict[str, Any]]:
    """Return the results of the generated checks of one table; one pass over its rows."""
    found = columns_of(con, table.id)
    required = [name for name in found if name not in table.nullable]
    worded = [name for name in found if project.columns[name].values]
    key = ", ".join(identifier(name) for name in table.grain)
    measures = ["count(*)", f"count(distinct row({key}))"]
    measures += [f"count(*) - count({identifier(name)})" for name in required]
    allowed = {name: ", ".join(quoted(value) for value in project.columns[name].values) for name in worded}
    measures += [f"count(*) filter (where {identifier(n)}::varchar not in ({allowed[n]}))" for n in worded]
    n_rows, n_keys, *counts = con.sql(f"select {', '.join(measures)} from {table.id}").fetchall()[0]
    nulls, unknown = counts[: len(required)], counts[len(required) :]
    bounds = f"at least {table.min_rows}" + (f" and at most {table.max_rows}" if table.max_rows is not None else "")
    results = [
        Result(
            table.id, f"{', '.join(table.grain)} is unique", "contract", "critical", "The header calls it the grain.",
            n_rows == n_keys, n_rows - n_keys,
            _rows(con, f"select {key}, count(*) AS n from {table.id} group by all having count(*) > 1 order by all") if n_rows != n_keys else None,
        ),
        Result(
            table.id, f"{bounds} rows", "contract", "critical", "The header bounds it; it has " + f"{n_rows:,}.",
            n_rows >= table.min_rows and (table.max_rows is None or n_rows <= table.max_rows),
        ),
        Result(table.id, "columns that the header does not call nullable are never null", "contract", "critical",
               "A reader must not have to guess what an absent value means.", not any(nulls), sum(nulls),
               _null_rows(con, table, required, nulls) if any(nulls) else None),
    ]  # fmt: skip
    if worded:
        bad = [name for name, n in zip(worded, unknown, strict=True) if n]
        where = " or ".join(f"{identifier(n)}::varchar not in ({allowed[n]})" for n in bad)
        shown = ", ".join(identifier(n) for n in dict.fromkeys([*table.grain, *bad]))
        results.append(
            Result(
                table.id, f"{', '.join(worded)} hold only the values that the dictionary lists", "contract", "critical",
                "A value that columns.yml does not list means nothing to a reader.", not bad, sum(unknown),
                _rows(con, f"select {shown} from {table.id} where {where} order by all") if bad else None,
            )
        )  # fmt: skip
    return [asdict(result) for result in results]


def _null_rows(con: duckdb.DuckDBPyConnection, table: Table, required: list[str], nulls: list[int]) -> str:
    """Return the keys of rows that lack a required value."""
    bad = [name for name, n in zip(required, nulls, strict=True) if n]
    shown = ", ".join(identifier(n) for n in dict.fromkeys([*table.grain, *bad]))
    return _rows(con, f"select {shown} from {table.id} where {' or '.join(f'{identifier(n)} is null' for n in bad)} order by all")


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the first rows of a query as JSON."""
    return as_json(con.sql(f"select * from ({sql}) limit {SHOWN_ROWS}").pl())


def as_json(frame: pl.DataFrame) -> str:
    """Return rows as a person can read them in one line."""
    return json.dumps(frame.to_dicts(), default=str, ensure_ascii=False)


def compared_with_published(settings: Settings, build: Build) -> list[Result]:
    """Compare the rows of each mart with the published file's."""
    if not settings.published.is_file():
        return []
    before = published_build(settings)
    if before is None:
        reason = "Its bytes are those of no publication, so that its rows are not compared."
        return [
            Result("meta.build", "the file published before is as it was published", "contract", "warning", reason, is_ok=False)
        ]
    results = []
    for name, stated in before.tables.items():
        was = stated["n_rows"]
        n_rows = build.tables.get(f"marts.{name}", {}).get("n_rows", 0)
        results += [
            Result(f"marts.{name}", "a table that readers had does not become empty or vanish", "contract", "critical",
                   f"It had {was:,} rows when last published and has {n_rows:,} now.", n_rows > 0 or was == 0),
            Result(f"marts.{name}", "a tenth of the published rows does not vanish in one step", "contract", "warning",
                   f"It had {was:,} rows when last published and has {n_rows:,} now.", n_rows >= 0.9 * was),
        ]  # fmt: skip
    return results
