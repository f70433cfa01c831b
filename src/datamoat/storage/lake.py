"""The lake: one Parquet file a table, and a DuckDB connection that sees them under their names."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from datamoat.settings import Settings
from datamoat.storage.files import write_json


class Known:
    """What was found out about files before, under the hash of their bytes: the same bytes need no second look.

    Only what this run asked for is kept, so the file never grows. It may be deleted at any time.
    """

    def __init__(self, path: Path) -> None:
        """Read what is known; a file that cannot be read means that nothing is."""
        self.path = path
        try:
            self._before: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._before = {}
        self._asked: dict[str, Any] = {}

    def get(self, key: str, find_out: Callable[[], Any]) -> Any:  # noqa: ANN401  (whatever JSON holds)
        """Return what is known under `key`, or find it out now."""
        self._asked[key] = self._before[key] if key in self._before else find_out()
        return self._asked[key]

    def keep(self) -> None:
        """Write what this run asked for, for the next one."""
        write_json(self.path, self._asked)


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
    con.execute(f"create or replace view {table_id} as from read_parquet({quoted(str(path))})")


def quoted(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def content_of(con: duckdb.DuckDBPyConnection, table_id: str) -> str:
    """Return a hash of a table's rows that does not depend on their order, the file format or the threads.

    The exclusive or of the MD5 of every row's text; the grain is unique, so no two rows cancel.
    """
    columns = ", ".join(identifier(row[0]) for row in con.sql(f"describe {table_id}").fetchall())
    query = f"select count(*) AS n, bit_xor(md5_number(row({columns})::varchar)) AS digest from {table_id}"
    n_rows, digest = con.sql(query).fetchall()[0]
    return f"{n_rows}-{digest or 0:032x}"
