"""The published tables as files: Parquet with page checksums and its own provenance, and CSV that no spreadsheet runs.

One writer serves `datamoat export` and the release bundle. Tables that hold one row a draw go to `draws/`, as Parquet
only. What is written can be read back to the last bit: `read_back` gives the SQL.
"""

import csv
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import UsageError
from datamoat.project.column_types import frictionless_type
from datamoat.release.sums import SUMS
from datamoat.settings import Settings
from datamoat.storage.files import cannot_write, sha256_of, write_json, write_whole
from datamoat.storage.lake import columns_of, identifier, literal_path, quoted
from datamoat.storage.warehouse import open_published

CSV_ROWS = 1_000_000  # a larger table is Parquet only: no spreadsheet opens it
DRAW = "draw"  # a table with this in its grain is a set of draws
# A spreadsheet may run a cell that begins so, also after blanks or quotes. An apostrophe before it makes it text.
FORMULA = "^['\"\\s\\x{00a0}\\x{200b}\\x{feff}]*[=+\\-@|\\x{ff1d}\\x{ff0b}\\x{ff0d}\\x{ff20}\\t\\r\\n]|^'"


@dataclass(frozen=True)
class Written:
    """One table as files.

    Attributes:
        name: The table with its schema.
        description: What it holds.
        grain: The columns that make a row one row; empty where none is declared.
        columns: Name, type, unit, meaning and whether it may be null, in order.
        n_rows: How many rows.
        content_hash: The hash of its rows, where the build states one.
        parquet: Path of the Parquet file below the folder.
        csv: Path of the CSV file, or None where there is none.
    """

    name: str
    description: str
    grain: tuple[str, ...]
    columns: tuple[tuple[str, str, str | None, str, bool], ...]
    n_rows: int
    content_hash: str | None
    parquet: str
    csv: str | None


def export_tables(settings: Settings, to: Path | None = None, *, replace: bool = False, include_licensed: bool = False) -> Path:
    """Write the published marts to `<to>/datamoat-<build id>` and return that folder.

    The folder appears whole or not at all.

    Args:
        settings: Where things are.
        to: The folder to put it in; None takes `data/exports`.
        replace: Whether a folder of that name may be replaced.
        include_licensed: Whether tables with rows under a licence that a user stated are written too.

    Raises:
        UsageError: The folder exists already, or `to` is a link, a file, or climbs with `..`.
        PublishRefusedError: Nothing is published, or the disk refuses.
    """
    parent = checked_target(to, replace=replace) if to is not None else settings.exports
    with open_published(settings, is_closed=False) as con:
        build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
        folder = parent / f"datamoat-{build_id}"
        if folder.exists() and not replace:
            if to is None:
                return folder
            raise UsageError(f"{folder.name} exists already", str(folder), "name another folder, or give --force.")
        from datamoat.ingest.terms import refuse_changed_terms

        refuse_changed_terms(settings, {source["source_id"] for source in credits_of(con)})
        part = parent / f".{folder.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(parents=True)
            written = write_tables(con, part, schemas=("marts",), without=() if include_licensed else licensed_tables(con))
            sources = credits_of(con)
            write_json(
                part / "datapackage.json",
                {
                    "name": "datamoat",
                    "version": build_id,
                    "created": as_of.isoformat(),
                    "sources": [{"title": s["title"], "path": s["url"] or "", "credit": s["attribution"] or ""} for s in sources],
                    "resources": [resource for table in written for resource in resources_of(part, table)],
                },
            )
            write_sums(part)
            shutil.rmtree(folder, ignore_errors=True)
            part.replace(folder)
        except OSError as failure:
            raise cannot_write(folder, failure) from failure
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def prune_exports(settings: Settings, keep: int) -> list[str]:
    """Remove all but the newest exports of the data folder; releases stay; return the names of what was removed.

    Args:
        settings: Where things are.
        keep: How many stay, at least one.
    """
    found = sorted(settings.exports.glob("datamoat-*/"), key=lambda folder: (folder.stat().st_mtime, folder.name))
    old = found[: -max(keep, 1)]
    for folder in old:
        shutil.rmtree(folder)
    return [folder.name for folder in old]


def checked_target(to: Path, *, replace: bool) -> Path:
    """Return the folder an export goes into.

    Raises:
        UsageError: It is a file, a link or lies behind one, or climbs with `..` and --force was not given.
    """
    if ".." in to.parts and not replace:
        raise UsageError(f"{to} climbs out with `..`", str(to), "name the folder outright, or give --force.")
    link = next((folder for folder in (to, *to.parents) if folder.is_symlink()), None)
    if link is not None:
        raise UsageError(f"{link} is a link", str(to), "name the folder itself.")
    if to.exists() and not to.is_dir():
        raise UsageError(f"{to} is a file", str(to), "name a folder.")
    return to


def write_tables(
    con: duckdb.DuckDBPyConnection,
    part: Path,
    facts: dict[str, str] | None = None,
    schemas: tuple[str, ...] = ("marts", "meta"),
    without: tuple[str, ...] = (),
) -> list[Written]:
    """Write every table of the published file below `part`: `parquet/`, `csv/`, `draws/`.

    Args:
        con: A connection whose current database is the published file.
        part: Where to.
        facts: What every Parquet file states of its origin, in its key-value metadata.
        schemas: Which of `marts` and `meta`.
        without: Marts that are left out.
    """
    tables = [table for table in _tables(con) if table.name.split(".")[0] in schemas and table.name not in without]
    return [_write_table(con, part, table, facts or {}) for table in tables]


def licensed_tables(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return the marts with rows under a licence that a user stated: those with a column `licence`, and any row."""
    names = con.sql(
        "select m.table_name from meta.models as m inner join meta.columns as c using (layer, table_name)"
        " where m.layer = 'marts' and c.column_name = 'licence' and m.n_rows > 0 order by 1"
    ).fetchall()
    return tuple(f"marts.{name}" for (name,) in names)


def read_back(columns: tuple[tuple[str, str], ...], path: Path) -> str:
    """Return the SQL that reads a CSV file of ours back as the table it came from.

    Args:
        columns: Name and DuckDB type, in order.
        path: The CSV file.
    """
    names = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name, _ in columns)
    cells = ", ".join(_value(name, kind) for name, kind in columns)
    return (
        f"select {cells} from read_csv({literal_path(path)}, header = true, auto_detect = false, delim = ',', quote = '\"',"
        f" escape = '\"', nullstr = '', allow_quoted_nulls = false, parallel = false, new_line = '\\n',"
        f" max_line_size = 16000000, columns = {{{names}}})"
    )


def resources_of(part: Path, table: Written) -> list[dict[str, Any]]:
    """Return the Frictionless resources of a table's files: the CSV with its schema, the Parquet file beside it."""
    fields = []
    for column, kind, unit, description, is_nullable in table.columns:
        entry: dict[str, Any] = {"name": column, "type": frictionless_type(kind)}
        if description:
            entry["description"] = description
        if unit:
            entry["unit"] = unit
        if not is_nullable:
            entry["constraints"] = {"required": True}
        fields.append(entry)
    schema: dict[str, Any] = {"fields": fields}
    if table.grain:
        schema["primaryKey"] = list(table.grain)
    made = []
    for path in (table.csv, table.parquet):
        if path is None:
            continue
        resource: dict[str, Any] = {
            "name": path.rsplit(".", 1)[0].replace("/", "-").replace("_", "-"),
            "path": path,
            "title": table.name,
            "description": table.description,
            "bytes": (part / path).stat().st_size,
            "hash": f"sha256:{sha256_of(part / path)}",
        }
        if path.endswith(".csv"):
            resource |= {"format": "csv", "mediatype": "text/csv", "encoding": "utf-8", "profile": "tabular-data-resource"}
            resource["schema"] = schema
        else:
            resource |= {"type": "file", "format": "parquet", "mediatype": "application/vnd.apache.parquet"}
        made.append(resource)
    return made


def credits_of(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the sources that something in the published file comes from, with terms and credit line.

    A source is in it when a citation that a row names was read from it, or an answer of it was served to the build.
    """
    cited = [
        f"select unnest(citation_ids) as citation_id from marts.{identifier(name)}"
        for (name,) in con.sql(
            "select table_name from meta.columns where layer = 'marts' and column_name = 'citation_ids' order by 1"
        ).fetchall()
    ] + [
        f"select citation_id from marts.{identifier(name)}"
        for (name,) in con.sql(
            "select table_name from meta.columns where layer = 'marts' and column_name = 'citation_id' order by 1"
        ).fetchall()
    ]
    columns = {row[0] for row in con.sql("describe meta.citations").fetchall()}
    used = ["select source_id from meta.snapshots where is_served"]
    if cited and {"citation_id", "source_id"} <= columns:
        named = " union ".join(cited)
        used.append(f"select c.source_id from meta.citations c join ({named}) u on u.citation_id = c.citation_id")
    relation = con.sql(f"from meta.sources where source_id in ({' union '.join(used)}) order by source_id")
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def write_sums(folder: Path) -> None:
    """Write the hash of every file below a folder, in the form `sha256sum -c` reads."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    write_whole(folder / SUMS, "".join(f"{sha256_of(folder / name)}  {name}\n" for name in names).encode())


def _tables(con: duckdb.DuckDBPyConnection) -> list[Written]:
    """Return what there is to write, before it is written."""
    listed = con.sql(
        "select table_name, description, grain, n_rows, content_hash from meta.models where layer = 'marts' order by table_name"
    ).fetchall()
    known = {name: (description, tuple(grain), content_hash) for name, description, grain, _, content_hash in listed}
    present = con.sql(
        "select schema_name, table_name from duckdb_tables() where schema_name in ('marts', 'meta') and database_name = current_database()"
        " order by 1, 2"
    ).fetchall()
    dictionary = {
        (table, column): (unit, description, is_nullable)
        for table, column, unit, description, is_nullable in con.sql(
            "select table_name, column_name, unit, description, is_nullable from meta.columns where layer = 'marts'"
        ).fetchall()
    }
    comments = dict(
        con.sql(
            "select (schema_name || '.' || table_name || '.' || column_name), comment from duckdb_columns()"
            " where database_name = current_database() and comment is not null"
        ).fetchall()
    )
    texts = dict(
        con.sql(
            "select (schema_name || '.' || table_name), comment from duckdb_tables() where database_name = current_database() and comment is not null"
        ).fetchall()
    )
    tables = []
    for schema, name in present:
        commented: tuple[str, tuple[str, ...], str | None] = (texts.get(f"{schema}.{name}", ""), (), None)
        description, grain, content_hash = known.get(name, commented) if schema == "marts" else commented
        columns = []
        for column, kind in columns_of(con, f"{schema}.{identifier(name)}").items():
            unit, means, is_nullable = dictionary.get((name, column), (None, "", True)) if schema == "marts" else (None, "", True)
            columns.append((column, kind, unit, means or comments.get(f"{schema}.{name}.{column}", ""), bool(is_nullable)))
        n_rows = con.sql(f"select count(*) AS n from {schema}.{identifier(name)}").fetchall()[0][0]
        is_draws = DRAW in grain
        stem = name if schema == "marts" else f"{schema}_{name}"
        tables.append(
            Written(
                f"{schema}.{name}", description, grain, tuple(columns), n_rows, content_hash,
                f"{'draws' if is_draws else 'parquet'}/{stem}.parquet",
                None if is_draws or n_rows > CSV_ROWS else f"csv/{stem}.csv",
            )
        )  # fmt: skip
    return tables


def _write_table(con: duckdb.DuckDBPyConnection, part: Path, table: Written, facts: dict[str, str]) -> Written:
    """Write one table, in the order of its grain, and return it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, name = table.name.split(".")
    order = ", ".join(identifier(column) for column in table.grain) or "all"
    ordered = f"select * from {schema}.{identifier(name)} order by {order}"
    own = {"table": table.name, "description": table.description, "grain": ", ".join(table.grain)}
    if table.content_hash:
        own["content_hash"] = table.content_hash
    path = part / table.parquet
    path.parent.mkdir(parents=True, exist_ok=True)
    reader = con.sql(ordered).to_arrow_reader(122_880)
    fields = []
    for column, _, unit, description, _ in table.columns:
        metadata = {key: value for key, value in (("description", description), ("unit", unit)) if value}
        field = reader.schema.field(column)
        fields.append(field.with_metadata(metadata) if metadata else field)
    labelled = pa.schema(fields, metadata={f"datamoat.{key}": value for key, value in {**facts, **own}.items()})
    with pq.ParquetWriter(path, labelled, compression="zstd", write_page_checksum=True) as writer:
        for batch in reader:
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=labelled))
    if table.csv is not None:
        (part / table.csv).parent.mkdir(parents=True, exist_ok=True)
        cells = ", ".join(_cell(column, kind) for column, kind, *_ in table.columns)
        con.execute(f"copy (select {cells} from ({ordered})) to {quoted(str(part / table.csv))} (format csv, header)")
    return table


def _cell(column: str, kind: str) -> str:
    """Return the SQL for one CSV cell: lists as JSON, text so that no spreadsheet takes it for a formula."""
    name = identifier(column)
    if kind.endswith("[]"):
        return f"to_json({name})::varchar AS {name}"
    if kind == "VARCHAR":
        return f"case when regexp_matches({name}, {quoted(FORMULA)}) then '''' || {name} else {name} end AS {name}"
    return name


def _value(column: str, kind: str) -> str:
    """Return the SQL that undoes `_cell`."""
    name = identifier(column)
    if kind.endswith("[]"):
        return f"from_json({name}, {quoted(json.dumps([kind.removesuffix('[]')]))})::{kind} AS {name}"
    if kind == "VARCHAR":
        return f"case when starts_with({name}, '''') then substr({name}, 2) else {name} end AS {name}"
    return f"{name}::{kind} AS {name}"


def csv_text(columns: tuple[str, ...], records: list[tuple[Any, ...]]) -> str:
    """Return rows as CSV, for a register that people read."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(records)
    return buffer.getvalue()
