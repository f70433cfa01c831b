"""The lake: one Parquet file a table, and a DuckDB connection that sees them under their names."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from datamoat.errors import ContentError
from datamoat.settings import Settings
from datamoat.storage.files import read_record, write_record


class JsonCache:
    """Results that are a function of bytes, under the hash of those bytes, in one JSON file.

    Only what this run used is saved, so the file never grows. It may be deleted at any time.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; one that is absent, damaged or of a later version is empty."""
        self.path = path
        try:
            self._before = read_record(path)
        except (OSError, ValueError, ContentError):
            self._before = {}
        self._used: dict[str, Any] = {}

    def get(self, key: str, compute: Callable[[], Any]) -> Any:  # noqa: ANN401  (whatever JSON holds)
        """Return the cached result under `key`, or compute it now."""
        self._used[key] = self._before[key] if key in self._before else compute()
        return self._used[key]

    def save(self) -> None:
        """Write what this run used, for the next one."""
        write_record(self.path, self._used)


def path_of(lake: Path, table_id: str) -> Path:
    """Return where a table of the lake is: `lake/<schema>/<name>.parquet`."""
    schema, name = table_id.split(".")
    return lake / schema / f"{name}.parquet"


@contextmanager
def lake_connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB with the limits of this run; what does not fit spills into the lake."""
    spill = settings.lake / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(
        config={
            "threads": str(settings.threads),
            "memory_limit": settings.memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    try:
        con.execute("set timezone = 'UTC'")
        yield con
    finally:
        con.close()
        shutil.rmtree(spill, ignore_errors=True)


def view(con: duckdb.DuckDBPyConnection, table_id: str, path: Path) -> None:
    """Let `table_id` name a Parquet file."""
    con.execute(f"create or replace view {table_id} as from {parquet(path)}")


def quoted(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def parquet(*paths: Path, by_name: bool = False) -> str:
    """Return the SQL that reads Parquet files; the signs of a pattern in a path stand for themselves.

    Args:
        paths: The files.
        by_name: Whether columns that a file lacks are null, instead of an error.
    """
    return f"read_parquet([{', '.join(map(literal_path, paths))}]{', union_by_name = true' if by_name else ''})"


def literal_path(path: Path) -> str:
    """Return a SQL string literal for a path that DuckDB's readers do not take for a pattern."""
    return quoted(re.sub(r"[\[*?]", r"[\g<0>]", str(path)))


def identifier(name: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return name and type of the columns of a table or a SELECT."""
    return {row[0]: row[1] for row in con.sql(f"describe {relation}").fetchall()}


def other_rows(con: duckdb.DuckDBPyConnection, stated: dict[str, dict[str, Any]]) -> list[str]:
    """Return the marts of a database whose rows are not those whose content hash is stated, by name.

    Raises:
        duckdb.Error: One of them is not there.
    """
    return [name for name, mart in stated.items() if content_of(con, f"marts.{identifier(name)}") != mart["content_hash"]]


def content_of(con: duckdb.DuckDBPyConnection, table_id: str) -> str:
    """Return a hash of a table's rows that does not depend on their order, the file format or the threads.

    The exclusive or of the MD5 of every row's text; the grain is unique, so no two rows cancel.
    """
    columns = ", ".join(map(identifier, columns_of(con, table_id)))
    query = f"select count(*) AS n, bit_xor(md5_number(row({columns})::varchar)) AS digest from {table_id}"
    n_rows, digest = con.sql(query).fetchall()[0]
    return f"{n_rows}-{digest or 0:032x}"
