"""The published marts as files: Parquet and CSV for each, a Frictionless descriptor, and the hash of every file."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import duckdb

from datamoat.durable import cannot_write, write_json, write_whole
from datamoat.errors import UsageError
from datamoat.lake import identifier, quoted
from datamoat.publish import open_published
from datamoat.settings import Settings

CSV_ROWS = 1_000_000  # a larger table is Parquet only: no spreadsheet opens it
# A spreadsheet runs a cell that begins so; an apostrophe before it makes it text. Reading back: drop one apostrophe
# that is followed by one of these.
FORMULA = r"^['=+\-@\t\r＝＋－＠]"
TYPES = {
    "VARCHAR": "string", "DOUBLE": "number", "FLOAT": "number", "BIGINT": "integer", "INTEGER": "integer",
    "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "datetime", "VARCHAR[]": "array",
}  # fmt: skip


def export_tables(settings: Settings, to: Path | None = None, *, replace: bool = False) -> Path:
    """Write the published marts to `<to>/datamoat-<build id>` and return that folder.

    The folder appears whole or not at all.

    Args:
        settings: Where things are.
        to: The folder to put it in; None takes `data/exports`.
        replace: Whether a folder of that name may be replaced.

    Raises:
        UsageError: The folder is there already and is not the same build's, or `to` is a link.
        PublishRefusedError: Nothing is published, or the disk refuses.
    """
    parent = to if to is not None else settings.exports
    if parent.is_symlink():
        raise UsageError(f"{parent} is a link", str(parent), "name the folder itself.")
    with open_published(settings) as con:
        build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
    folder = parent / f"datamoat-{build_id}"
    if folder.exists() and not replace:
        if to is None:
            return folder
        raise UsageError(f"{folder.name} is there already", str(folder), "name another folder, or say --force.")
    part = parent / f".{folder.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        (part / "parquet").mkdir(parents=True)
        (part / "csv").mkdir()
        resources = _write_tables(settings, part)
        write_json(part / "datapackage.json", _descriptor(settings, build_id, as_of.isoformat(), resources))
        write_whole(part / "SHA256SUMS", "".join(f"{digest}  {name}\n" for name, digest in _hashes(part)).encode())
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    except OSError as failure:
        shutil.rmtree(part, ignore_errors=True)
        raise cannot_write(folder, failure) from failure
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return folder


def _write_tables(settings: Settings, part: Path) -> list[dict[str, Any]]:
    """Write every mart and return its resources."""
    with duckdb.connect() as con:
        con.execute(f"attach {quoted(str(settings.published))} as published (read_only)")
        con.execute("use published")
        tables = con.sql(
            "select table_name, description, grain, n_rows from meta.models where layer = 'marts' order by table_name"
        ).fetchall()
        resources = []
        for name, description, grain, n_rows in tables:
            columns = con.sql(
                "select column_name, type, unit, means, is_nullable from meta.columns"
                f" where layer = 'marts' and table_name = {quoted(name)} order by position"
            ).fetchall()
            order = ", ".join(identifier(column) for column in grain)
            ordered = f"select * from marts.{identifier(name)} order by {order}"
            con.execute(
                f"copy ({ordered}) to {quoted(str(part / 'parquet' / f'{name}.parquet'))} (format parquet, compression zstd)"
            )
            resources.append(_resource(part, f"parquet/{name}.parquet", "parquet", description, grain, columns))
            if n_rows <= CSV_ROWS:
                cells = ", ".join(_cell(column, kind) for column, kind, *_ in columns)
                con.execute(
                    f"copy (select {cells} from ({ordered})) to {quoted(str(part / 'csv' / f'{name}.csv'))} (format csv, header)"
                )
                resources.append(_resource(part, f"csv/{name}.csv", "csv", description, grain, columns))
    return resources


def _cell(column: str, kind: str) -> str:
    """Return the SQL for one CSV cell: lists as JSON, text so that no spreadsheet takes it for a formula."""
    name = identifier(column)
    if kind.endswith("[]"):
        return f"to_json({name})::varchar AS {name}"
    if kind == "VARCHAR":
        return f"case when regexp_matches({name}, {quoted(FORMULA)}) then '''' || {name} else {name} end AS {name}"
    return name


def _resource(
    part: Path, path: str, form: str, description: str, grain: list[str], columns: list[tuple[Any, ...]]
) -> dict[str, Any]:
    """Return the Frictionless resource of one file."""
    fields = []
    for column, kind, unit, means, is_nullable in columns:
        entry: dict[str, Any] = {"name": column, "type": TYPES.get(kind, "any"), "description": means}
        if unit:
            entry["unit"] = unit
        if not is_nullable:
            entry["constraints"] = {"required": True}
        fields.append(entry)
    body = (part / path).read_bytes()
    return {
        "name": path.replace("/", "-").replace(".", "-").replace("_", "-"),
        "path": path,
        "format": form,
        "mediatype": {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}[form],
        "description": description,
        "bytes": len(body),
        "hash": f"sha256:{hashlib.sha256(body).hexdigest()}",
        "schema": {"fields": fields, "primaryKey": grain},
    }


def _descriptor(settings: Settings, build_id: str, as_of: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the Frictionless data package of the folder."""
    with open_published(settings) as con:
        cursor = con.sql("from meta.sources order by source_id").pl()
    sources = [
        {
            "title": row.get("title") or row["source_id"],
            "path": row.get("url"),
            "licence": row.get("licence"),
            "credit": row.get("attribution"),
        }
        for row in cursor.iter_rows(named=True)
    ]
    return {
        "name": "datamoat",
        "title": "datamoat: how much video each company can reach, and how its video models rank",
        "version": build_id,
        "created": as_of,
        "licenses": [
            {
                "name": "CC-BY-4.0",
                "title": "Creative Commons Attribution 4.0",
                "path": "https://creativecommons.org/licenses/by/4.0/",
            }
        ],
        "sources": [{key: value for key, value in source.items() if value} for source in sources],
        "resources": resources,
    }


def _hashes(folder: Path) -> list[tuple[str, str]]:
    """Return name and SHA-256 of every file below a folder."""
    return [
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
