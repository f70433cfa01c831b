"""From one published number to its inputs: values as stated, pages, assumptions, files.

The evidence comes from the macro `marts.why(table, column, key)`, if the content tree has one; this module finds the row, walks
the lineage of the column down to the files with their hashes, and draws the tree.
"""

import difflib
from dataclasses import dataclass, field
from typing import Any

import duckdb

from datamoat.errors import UsageError
from datamoat.project.texts import decoded
from datamoat.storage.lake import identifier, quoted
from datamoat.views.render import text_of

SHOWN_INPUTS = 12
LOW_HIGH = (("_p50", "_p05", "_p95"), ("", "_low", "_high"))


@dataclass(frozen=True)
class Trace:
    """One number and its inputs.

    Attributes:
        table: The mart.
        column: The column.
        key: The row, by the columns of its grain.
        value: The number; with `low` and `high` where the row has its interval.
        unit: Its unit.
        description: What the column is.
        evidence: Rows of the macro `why`; none where the content tree has no such macro.
        path: The tables it is computed through, from the files to the mart, by layer.
        inputs: Each file or source at the end of the path, with its hash.
    """

    table: str
    column: str
    key: dict[str, Any] = field(hash=False)
    value: object
    low: object
    high: object
    unit: str | None
    description: str
    build_id: str
    as_of: str
    evidence: tuple[dict[str, Any], ...] = field(hash=False)
    path: tuple[str, ...]
    inputs: dict[str, str | None] = field(hash=False)


def trace_number(con: duckdb.DuckDBPyConnection, target: str, where: list[str]) -> Trace:
    """Return one published number with everything it is computed from.

    Args:
        con: The published file.
        target: `table.column`, with or without `marts.`.
        where: The row, as `name=value`. A date left out is the newest; a column with a list of allowed values takes the
            first; if more than one row is left, the error lists the columns to name.

    Raises:
        UsageError: There is no such column or row, or several rows fit.
    """
    table, column, grain, about = _find_column(con, target)
    key = _find_row(con, table, grain, read_pairs(where, "--where"))
    fits = " and ".join(f"{identifier(name)}::varchar = {quoted(_text(value))}" for name, value in key.items())
    relation = con.sql(f"select * from marts.{identifier(table)} where {fits}")
    row = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
    low, high = _interval(row, column)
    text = "; ".join(f"{name}={_text(value)}" for name, value in key.items())
    evidence: tuple[dict[str, Any], ...] = ()
    if con.sql("from duckdb_functions() where schema_name = 'marts' and function_name = 'why'").fetchall():
        found = con.sql(f"from marts.why({quoted(table)}, {quoted(column)}, {quoted(text)})")
        evidence = tuple(dict(zip(found.columns, record, strict=True)) for record in found.fetchall())
    build_id, as_of = con.sql("select build_id, as_of from meta.build").fetchall()[0]
    path, inputs = lineage_of(con, table, column)
    served = {
        f"snapshots of {one}" for (one,) in con.sql("select distinct source_id from meta.snapshots where is_served").fetchall()
    }
    inputs = {name: digest for name, digest in inputs.items() if name in served or not name.startswith("snapshots of ")}
    return Trace(table, column, key, row[column], low, high, about[0], about[1], build_id, str(as_of), evidence, path, inputs)


def read_pairs(texts: list[str], option: str) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a dictionary.

    Raises:
        UsageError: One has no name or no `=`, or a name is given twice.
    """
    pairs = {}
    for text in map(decoded, texts):
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{text!r} is not NAME=VALUE", option, f"write {option} NAME=VALUE.")
        if name.strip() in pairs:
            raise UsageError(f"{name.strip()} is given twice", option, "give each name once.")
        pairs[name.strip()] = value.strip()
    return pairs


def lineage_of(con: duckdb.DuckDBPyConnection, table: str, column: str) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """Return the tables a column is computed through, inputs first, and the hash of each input."""
    edges: dict[tuple[str, str], set[tuple[str, str]]] = {}
    columns: dict[str, set[str]] = {}
    for layer, name, own, from_table, from_column in con.sql(
        "select layer, table_name, column_name, from_table, from_column from meta.lineage"
    ).fetchall():
        edges.setdefault((f"{layer}.{name}", own), set()).add((from_table, from_column))
        columns.setdefault(f"{layer}.{name}", set()).add(own)
    reads = {
        f"{layer}.{name}": {(read, "*") for read in read_names}
        for layer, name, read_names in con.sql("select layer, table_name, reads from meta.models").fetchall()
    }
    start = f"marts.{table}"
    depth = {start: 0}
    seen, queue = {(start, column)}, [(start, column)]
    while queue:
        at, own = queue.pop(0)
        for name in sorted(columns.get(at, set())) if own == "*" else [own]:
            for step in sorted(edges.get((at, name)) or reads.get(at, set())):  # a count has no column: it comes from the rows
                depth[step[0]] = max(depth.get(step[0], 0), depth[at] + 1)
                if step not in seen:
                    seen.add(step)
                    queue.append(step)
    order = ("raw", "meta", "staging", "intermediate", "marts")
    path = sorted(depth, key=lambda name: (order.index(name.split(".")[0]), -depth[name], name))
    hashes = dict(con.sql("select input, sha256 from meta.inputs").fetchall())
    inputs: dict[str, str | None] = {}
    for name in path:
        if name.startswith("raw.reference__"):
            file = f"reference/{name.removeprefix('raw.reference__')}.csv"
            inputs[file] = hashes.get(file)
        elif name.startswith("raw."):
            inputs[f"snapshots of {name.removeprefix('raw.').split('__')[0]}"] = hashes.get("snapshots")
        elif name == "meta.snapshots":
            inputs["snapshots"] = hashes.get("snapshots")
        elif name == "meta.sources":
            inputs["reference/sources.csv"] = hashes.get("reference/sources.csv")
    return tuple(path), inputs


def drawn(trace: Trace, shown: int = SHOWN_INPUTS) -> str:
    """Return the tree as lines of text.

    Args:
        trace: What to draw.
        shown: How many inputs, and tables and files of the path, to draw; 0 draws all.
    """
    unit = f" {trace.unit}" if trace.unit else ""
    interval = (
        f" (5–95 %: {text_of(trace.low)} to {text_of(trace.high)})" if trace.low is not None and trace.high is not None else ""
    )
    lines = [
        f"{text_of(trace.value)}{unit}{interval}",
        f"marts.{trace.table}.{trace.column} where "
        + ", ".join(f"{name}={text_of(_text(value))}" for name, value in trace.key.items()),
        f"as of {trace.as_of}, build {trace.build_id}: {text_of(trace.description)}",
    ]
    children: dict[str, list[dict[str, Any]]] = {}
    for row in trace.evidence:
        if row["kind"] == "page" and row["parent_id"]:
            children.setdefault(row["parent_id"], []).append(row)
    top = [row for row in trace.evidence if not (row["kind"] == "page" and row["parent_id"])]
    wanted = top[: shown or None]
    for row in wanted:
        last = row is wanted[-1] and len(wanted) == len(top)
        lines += _branch(row, children.get(row["id"], []), "└─ " if last else "├─ ", "   " if last else "│  ")
    if len(wanted) < len(top):
        lines.append(f"└─ and {len(top) - len(wanted)} more: --all prints them")
    if not top:
        lines.append("└─ no page and no assumption: it is computed from the files below alone")
    steps = []
    for layer in ("staging", "intermediate", "marts"):
        names = [name for name in trace.path if name.startswith(f"{layer}.")]
        steps.append(", ".join(names) if not shown or len(names) <= shown else f"{len(names)} {layer} tables (--all names them)")
    lines += [f"path: {' → '.join(step for step in steps if step)}"]
    files = list(trace.inputs.items())
    lines += [f"file: {name}  sha256 {(digest or 'unknown')[:16]}" for name, digest in files[: shown or None]]
    if shown and len(files) > shown:
        lines.append(f"file: and {len(files) - shown} more: --all")
    return "\n".join(lines)


def _branch(row: dict[str, Any], children: list[dict[str, Any]], head: str, rest: str) -> list[str]:
    """Return the lines of one input and of the pages below it."""
    share = f"{row['variance_share']:>5.1%} " if row["variance_share"] is not None else ""
    lines = [
        f"{head}{share}{row['id']}  {text_of(row['evidence'])}" + (f"  [{row['verification']}]" if row["verification"] else "")
    ]
    if row["detail"]:
        lines.append(f"{rest}   {text_of(row['detail'])}")
    lines += _page(row, f"{rest}   ")
    for child in children:
        lines += [f"{rest}└─ {child['id']}  {text_of(child['evidence'])}  [{child['verification']}]", *_page(child, f"{rest}   ")]
    return lines


def _page(row: dict[str, Any], rest: str) -> list[str]:
    """Return the address of a page, the day it was read and the hash of its bytes."""
    if not row["url"]:
        return []
    facts = [
        f"published {row['published_on']}" if row["published_on"] else "",
        f"read {row['read_on']}" if row["read_on"] else "",
    ]
    facts.append(f"sha256 {row['sha256'][:16]}" if row["sha256"] else "")
    known = ", ".join(fact for fact in facts if fact)
    return [f"{rest}{text_of(row['url'])}", *([f"{rest}{known}"] if known else [])]


def _find_column(con: duckdb.DuckDBPyConnection, target: str) -> tuple[str, str, list[str], tuple[str | None, str]]:
    """Return table, column, grain, and the column's unit and description."""
    parts = target.removeprefix("marts.").split(".")
    tables = dict(con.sql("select table_name, grain from meta.models where layer = 'marts'").fetchall())
    if len(parts) != 2:  # noqa: PLR2004
        raise UsageError(f"{target!r} is not TABLE.COLUMN", "the command line", "name a mart and one of its columns.")
    table, column = parts
    if table not in tables:
        near = difflib.get_close_matches(table, tables, 3)
        raise UsageError(
            f"there is no mart {table!r}",
            "the published file",
            f"did you mean {', '.join(near)}?" if near else "`datamoat show` lists them.",
        )
    known = {
        name: (unit, description)
        for name, unit, description in con.sql(
            f"select column_name, unit, description from meta.columns where layer = 'marts' and table_name = {quoted(table)}"
        ).fetchall()
    }
    if column not in known:
        near = difflib.get_close_matches(column, known, 3) or sorted(known)[:8]
        raise UsageError(f"{table} has no column {column!r}", "the published file", f"did you mean {', '.join(near)}?")
    return table, column, list(tables[table]), known[column]


def _find_row(con: duckdb.DuckDBPyConnection, table: str, grain: list[str], given: dict[str, str]) -> dict[str, Any]:
    """Return the key of the row that the values choose."""
    described = {row[0]: row[1] for row in con.sql(f"describe marts.{identifier(table)}").fetchall()}
    unknown = sorted(set(given) - set(described))
    if unknown:
        raise UsageError(f"{table} has no column {unknown[0]!r}", "--where", f"a row is named by {', '.join(grain)}.")
    fits = [f"{identifier(name)}::varchar = {quoted(value)}" for name, value in given.items()]
    first = dict(
        con.sql(
            "select column_name, allowed_values[1] from meta.columns where layer = 'marts'"
            f" and table_name = {quoted(table)} and len(allowed_values) > 0"
        ).fetchall()
    )
    for name in sorted(grain, key=lambda name: name not in first):  # the newest day is that of the first value
        if name in given:
            continue
        if name in first:
            fits.append(f"{identifier(name)}::varchar = {quoted(first[name])}")
        elif described[name] == "DATE":
            others = " and ".join(fits) or "true"
            newest = f"select max({identifier(name)}) from marts.{identifier(table)} where {others}"
            fits.append(f"{identifier(name)} = ({newest})")
    names = ", ".join(identifier(name) for name in grain)
    found = con.sql(
        f"select {names} from marts.{identifier(table)} where {' and '.join(fits) or 'true'} order by all limit 6"
    ).fetchall()
    if len(found) == 1:
        return dict(zip(grain, found[0], strict=True))
    if not found:
        raise UsageError(
            f"no row of {table} is {', '.join(f'{k}={v}' for k, v in given.items())}",
            "--where",
            f"a row is named by {', '.join(grain)}.",
        )
    open_keys = [name for i, name in enumerate(grain) if len({row[i] for row in found}) > 1]
    shown = "; ".join(
        ", ".join(f"{n}={_text(v)}" for n, v in zip(grain, row, strict=True) if n in open_keys) for row in found[:3]
    )
    raise UsageError(f"several rows of {table} fit", "--where", f"name {', '.join(open_keys)} too: {shown}, …")


def _interval(row: dict[str, Any], column: str) -> tuple[object, object]:
    """Return the ends of the interval that the row has for a column."""
    for own, low, high in LOW_HIGH:
        if column.endswith(own) and own:
            stem = column.removesuffix(own)
        elif not own:
            stem = column
        else:
            continue
        if stem + low in row and stem + high in row:
            return row[stem + low], row[stem + high]
    return None, None


def _text(value: object) -> str:
    """Return a key's value as text, as DuckDB casts it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
