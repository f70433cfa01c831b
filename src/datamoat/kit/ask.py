"""Ask frames in SQL, in the words of tables that are not published yet, so that the text that decides is the text that is shown."""

from collections.abc import Mapping

import duckdb
import polars as pl

from datamoat.errors import ContentError


def ask(queries: Mapping[str, str], views: Mapping[str, str], frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the answer to each query, by its name.

    Args:
        queries: SQL by name; it speaks of the views.
        views: For each table a query names, as `schema.table`, the SELECT over frames that stands for it.
        frames: Tables by the names the views use.

    Raises:
        ContentError: A view or a query does not run; the name of the query is in the message.
    """
    with duckdb.connect() as con:
        con.execute("set threads = 1")
        for name, frame in frames.items():
            con.register(name, frame)
        for name, select in views.items():
            con.execute(f"create schema if not exists {name.split('.')[0]}")
            _said(con, f"create view {name} as {select}", name)
        answers = {}
        for name, query in queries.items():
            _said(con, f"create or replace temp table answer as {query}", name)
            answers[name] = con.sql("from answer").pl()
    return answers


def _said(con: duckdb.DuckDBPyConnection, statement: str, name: str) -> None:
    """Run a statement, or say whose it is."""
    try:
        con.execute(statement)
    except duckdb.Error as failure:
        raise ContentError(f"{name} does not run: {failure}", name, "mend the SQL; try it in a DuckDB prompt.") from failure
