"""SQL files of the content tree: their YAML header, and what DuckDB's own parser finds in their text."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from datamoat.errors import ContentError
from datamoat.project.model import Snippet, Table
from datamoat.project.texts import unreadable

if TYPE_CHECKING:
    import duckdb

CLOCK_AND_RANDOM = {
    "now", "current_date", "current_timestamp", "current_time", "today", "localtime", "localtimestamp",
    "get_current_timestamp", "transaction_timestamp", "random", "gen_random_uuid", "uuid", "setseed",
}  # fmt: skip
OUTSIDE = re.compile(r"^(read_|parquet_|glob$|sniff_|query|sqlite_|postgres_|getenv)")
HEADER = re.compile(r"\A\s*/\*---\n(?P<yaml>.*?)\n---\*/\s*", re.DOTALL)


def read_snippet(path: Path, keys: set[str]) -> Snippet:
    """Return a SQL file with its header, which must have exactly `keys`."""
    header, sql = split_header(path)
    if set(header) != keys:
        raise ContentError(f"the header has {sorted(header)}, not {sorted(keys)}", str(path), "give it exactly these keys.")
    if header.get("severity", "critical") not in {"critical", "warning"}:
        raise ContentError(
            f"severity {header['severity']!r} is unknown", str(path), "say `critical` (stops publication) or `warning`."
        )
    return Snippet(path.stem, path, sql, header)


@functools.cache
def _parser() -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB that parses; one for all files, since opening it costs more than parsing."""
    import duckdb

    return duckdb.connect()


def parsed(sql: str, path: Path) -> dict[str, Any]:
    """Return DuckDB's own parse tree of one SELECT.

    Raises:
        ContentError: It does not parse, or is something other than one SELECT.
    """
    tree: dict[str, Any] = json.loads(_parser().execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if tree["error"] or len(tree["statements"]) != 1:
        raise ContentError(
            f"this is not one SELECT: {tree.get('error_message', 'several statements')}",
            str(path),
            "correct the SQL; try it in a DuckDB prompt.",
        )
    return tree


def nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a parse tree."""
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes(value)


def tables_in(tree: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the (schema, table) pairs a parse tree names; names of CTEs are left out."""
    common = {entry["key"] for node in nodes(tree) for entry in (node.get("cte_map") or {}).get("map", [])}
    found = {(n.get("schema_name") or "", n["table_name"]) for n in nodes(tree) if n.get("type") == "BASE_TABLE"}
    return {(schema, name) for schema, name in found if schema or name not in common}


def split_header(path: Path) -> tuple[dict[str, Any], str]:
    """Return the YAML header and the SQL of a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as failure:
        raise ContentError(f"cannot read {path.name}: {unreadable(failure)}", str(path), "store it as UTF-8 text.") from failure
    match = HEADER.match(text)
    if match is None:
        raise ContentError("no header", str(path), "begin the file with `/*---`, YAML with `description:`, and `---*/`.")
    try:
        header = yaml.safe_load(match["yaml"])
    except yaml.YAMLError as failure:
        raise ContentError(f"the header is no YAML: {failure}", str(path), "correct the header.") from failure
    if not isinstance(header, dict) or not str(header.get("description", "")).strip():
        raise ContentError("the header has no description", str(path), "say in one sentence what this is.")
    return header, text[match.end() :].strip()


def table_from_header(name: str, layer: str, header: dict[str, Any], path: Path) -> Table:
    """Return the table a header promises; unknown keys are refused."""
    unknown = set(header) - {"description", "grain", "nullable", "caveats", "rows", "cache"}
    rows = header.get("rows") or {}
    if unknown or set(rows) - {"min", "max"}:
        raise ContentError(
            f"unknown keys in the header: {sorted(unknown or rows)}",
            str(path),
            "use description, grain, nullable, caveats, rows: {min, max}.",
        )
    for key in ("grain", "nullable", "caveats"):
        if not isinstance(header.get(key, []), list):
            raise ContentError(f"{key} is not a list", str(path), f"write `{key}: [a, b]`.")
        if wrong := [value for value in header.get(key, []) if not isinstance(value, str)]:
            raise ContentError(f"{key} has {wrong[0]!r}, which is no text", str(path), "put a text with a colon in quotes.")
    if not header.get("grain"):
        raise ContentError("the header has no grain", str(path), "name the columns that make a row one row.")
    return Table(
        name,
        layer,
        " ".join(str(header["description"]).split()),
        tuple(header["grain"]),
        frozenset(header.get("nullable", [])),
        tuple(header.get("caveats", [])),
        int(rows.get("min", 0)),
        rows.get("max"),
    )


def reads_of_sql(sql: str, path: Path) -> set[str]:
    """Return the tables a SELECT reads, and refuse clocks, random numbers, files and unqualified names."""
    tree = parsed(sql, path)
    functions = {node["function_name"] for node in nodes(tree) if node.get("class") == "FUNCTION"}
    functions |= {
        node["function"]["function_name"]
        for node in nodes(tree)
        if node.get("type") == "TABLE_FUNCTION" and isinstance(node.get("function"), dict)
    }
    bare = {n["column_names"][0] for n in nodes(tree) if n.get("class") == "COLUMN_REF" and len(n["column_names"]) == 1}
    banned = ((functions | bare) & CLOCK_AND_RANDOM) | {name for name in functions if OUTSIDE.match(name)}
    if banned:
        raise ContentError(
            f"a model may not use {', '.join(sorted(banned))}",
            str(path),
            "no clock, no random numbers, no files in models: use getvariable('as_of'), draws, or a source.",
        )
    named = tables_in(tree)
    without = sorted(name for schema, name in named if not schema)
    if without:
        raise ContentError(
            f"{', '.join(without)} is read without its schema", str(path), "write staging.…, intermediate.… or raw.…"
        )
    return {f"{schema}.{name}" for schema, name in named}
