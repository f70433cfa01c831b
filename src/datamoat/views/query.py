"""Queries: what can be opened, which tables there are, and one statement with limits.

Most queries read the published file alone, so what a release or a rebuild needs is imported where it is used.
"""

import difflib
import re
import threading
from datetime import date
from typing import Any

import duckdb

from datamoat.errors import UsageError
from datamoat.log import log
from datamoat.settings import Settings, read_settings
from datamoat.storage.warehouse import open_published
from datamoat.views.query_child import SHOWN, Found, brief

FIRST_SENTENCE = re.compile(r"(?<=\.)\s")
HISTORY = {"marts.change", "meta.audits"}  # their rows depend on what was published before, so no count is shown
Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]
NOT_SQL = re.compile(r"syntax error at or near \"(?P<at>[^\"]*)\"|syntax error at end of input")


def open_source(source: str | None) -> duckdb.DuckDBPyConnection:
    """Open the published file, after the release that a source names was fetched.

    Args:
        source: A folder or an address; None opens what is published here.

    Raises:
        DatamoatError: Nothing is published here, or the release cannot be fetched.
    """
    settings = read_settings()
    if source is not None:
        from datamoat.release.pull import pull
        from datamoat.storage.files import one_writer

        with one_writer(settings.data, "open"):
            pull(settings, source)
    return open_published(settings)


def open_as_of(settings: Settings, as_of: date | None, rebuild: date | None) -> duckdb.DuckDBPyConnection:
    """Open what a query reads: the published file, an earlier release, or a build of today's models as of an earlier day.

    Raises:
        UsageError: Both days are given, or nothing had been released by then.
    """
    if as_of is not None and rebuild is not None:
        raise UsageError(
            "--as-of and --rebuild-as-of are two questions",
            "the command line",
            "query what was published then, or what today's models compute from what was public then.",
        )
    if as_of is not None:
        from datamoat.release.bundle import open_release, released_by

        entry = released_by(settings, as_of)
        con = open_release(settings, entry)
        log.info("release", release=entry.release_id, released_on=str(entry.released_on), as_of=str(entry.as_of))
        return con
    if rebuild is not None:
        from datamoat.build.as_of import rebuild_as_of
        from datamoat.storage.files import one_writer

        with one_writer(settings.data, "query --rebuild-as-of"):
            build, con = rebuild_as_of(settings, rebuild)
        log.info("rebuilt", build_id=build.build_id, as_of=str(rebuild), is_audited=False)
        return con
    return open_published(settings)


def run_query(con: duckdb.DuckDBPyConnection, sql: str, limit: int, seconds: int) -> Found:
    """Run one query.

    Args:
        con: What to query.
        sql: One statement that returns rows.
        limit: Return at most one row more than this, so that the caller sees whether there are more; 0 returns all.
        seconds: Interrupt a query that runs longer.

    Raises:
        UsageError: It is no query, does not run, or needs more time or memory than it may take.
    """
    where = brief(sql)
    timer = threading.Timer(seconds, con.interrupt)
    timer.start()
    try:
        if (n_statements := len(con.extract_statements(sql))) > 1:
            raise UsageError(f"these are {n_statements} statements", where, "send one at a time.")
        relation = con.sql(sql)
        if relation is None:
            raise UsageError("that is not a query", where, "write a SELECT, or start with FROM.")
        found = (relation.limit(limit + 1) if limit else relation).fetchall()
        return Found(tuple(relation.columns), tuple(map(str, relation.types)), found)
    except duckdb.InterruptException as failure:
        raise UsageError(f"the query ran longer than {seconds} s", where, "narrow it, or give --seconds.") from failure
    except duckdb.OutOfMemoryException as failure:
        raise UsageError("the query needs more memory than it may take", where, "narrow it, or set DATAMOAT_MEMORY.") from failure
    except duckdb.Error as failure:
        raise UsageError(brief(str(failure).strip(), 4 * SHOWN), where, _fix_of(failure, sql)) from failure
    finally:
        timer.cancel()


def _fix_of(failure: duckdb.Error, sql: str) -> str:
    """Return what to do about a statement that does not run."""
    text = str(failure)
    if isinstance(failure, duckdb.ParserException):
        found = NOT_SQL.search(text)
        if found and found["at"] and sql.lstrip().startswith(found["at"]):
            return "a query starts with SELECT, FROM or WITH."
        where = f"look just before {found['at']!r}" if found and found["at"] else "look at its end"
        return f"{where}: a comma, quote or bracket may be missing. Write text in '…', a name in \"…\"."
    if "read-only" in text:
        return "the published file is only read: write SELECT, or copy what you need with --format parquet."
    if "disabled" in text or "locked" in text:
        return "a query reaches the published file alone: open the file in DuckDB to join it with files of your own."
    return "`datamoat show` lists the tables, `datamoat show TABLE` its columns."


def list_tables(con: duckdb.DuckDBPyConnection, *, in_full: bool) -> Table:
    """Return every public table with its rows and its description, the first sentence of it unless `in_full`."""
    found = [
        (name.removeprefix("marts."), None if name in HISTORY else size, text if in_full else FIRST_SENTENCE.split(text)[0])
        for name, (text, size) in _tables(con).items()
    ]
    return ("table", "n_rows", "description"), found


def describe_table(con: duckdb.DuckDBPyConnection, table: str) -> tuple[str, str, Table]:
    """Return a table's full name, its description, and its columns.

    Args:
        con: The published file.
        table: Its name; without a schema, a mart.

    Raises:
        UsageError: There is no such table; the message names those with similar names.
    """
    known = _tables(con)
    full = table if "." in table else f"marts.{table}"
    if full not in known:
        bare = full.removeprefix("marts.")
        near = difflib.get_close_matches(bare, [name.removeprefix("marts.") for name in known], 3)
        fix = f"did you mean {' or '.join(near)}?" if near else "`datamoat show` lists the tables."
        raise UsageError(f"there is no table {table!r}", "the published file", fix)
    schema, name = full.split(".")
    described = con.execute(
        "select column_name, data_type, comment from duckdb_columns() where schema_name = ? and table_name = ? order by column_index",
        [schema, name],
    ).fetchall()
    return full, known[full][0], (("column", "type", "description"), described)


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, int]]:
    """Return description and rows of every public table."""
    return {
        f"{schema}.{name}": (comment, n)
        for schema, name, comment, n in con.sql(
            "select schema_name, table_name, comment, estimated_size from duckdb_tables()"
            " where schema_name in ('marts', 'meta') order by all"
        ).fetchall()
    }
