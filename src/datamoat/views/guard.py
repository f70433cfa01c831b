"""What a statement of an agent may be: one SELECT of the published tables, in which no estimate is without its interval.

An *estimate* is a column that a mart publishes with `_p05` and `_p95` beside it. Its name is part of its meaning, so a statement may
compute with it only under the same ending, and may not add up, average or rank away its uncertainty: the draws are there for that.
"""

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from datamoat.errors import UsageError

ENDS = ("_p05", "_p50", "_p95")
OUTSIDE = re.compile(
    r"^(read_|parquet_|sniff_|glob$|query|getenv|current_setting|duckdb_(settings|databases|secrets|logs|variables|extensions)|pragma_|"
    r"sqlite_|postgres_|sql_auto|json_(execute|serialize)|write_log|getvariable|which_secret|test_)"
)
ENGINE = re.compile(r"^(pg_|pragma_|sqlite_|duckdb_)")  # tables about the engine itself
FINE = {"round", "ceil", "floor", "+", "-", "*", "/", "//", "coalesce"}  # under which an estimate stays an estimate
AGGREGATES = re.compile(
    r"^(sum|fsum|kahan_sum|avg|mean|median|mode|min|max|arg_|list|array_agg|first|last|any_value|quantile|mad|stddev|var_|histogram|string_agg|product|favg|string|max_by|min_by)"
)
DRAWS = "_draws"
SOURCES = {"BASE_TABLE", "SUBQUERY", "TABLE_FUNCTION", "JOIN"}
OURS = {"", "marts", "meta"}
LOW, HIGH = 0.05, 0.95
PLACES = {"alias", "query_location", "query_location_length", "column_names"}  # of an expression, not what it computes


def check_statement(sql: str, columns: frozenset[str], *, has_draws: bool = True) -> None:
    """Refuse a statement that an agent may not run.

    Args:
        sql: The statement.
        columns: The names of the estimates, as `estimates` returns them.
        has_draws: Whether tables whose names end in `_draws` hold draws.

    Raises:
        UsageError: It is not one SELECT, reaches outside, or would give an estimate without its interval.
    """
    tree = _parsed(sql)
    found = list(_nodes(tree))
    functions = {str(n["function_name"]) for n in found if n.get("class") == "FUNCTION"}
    if outside := sorted(name for name in functions if OUTSIDE.match(name)):
        raise _refused(sql, f"{', '.join(outside)} may not be used", "read the tables of marts and meta: find names them.")
    tables = {(str(n["schema_name"]), str(n["table_name"])) for n in found if n.get("type") == "BASE_TABLE"}
    if engine := sorted(
        f"{schema}.{name}" for schema, name in tables if schema.lower() not in OURS or ENGINE.match(name.lower())
    ):
        raise _refused(sql, f"{', '.join(engine)} may not be read", "read the tables of marts and meta: find names them.")
    if any(n.get("type") in {"PIVOT", "SHOW_REF"} for n in found):
        raise _refused(sql, "PIVOT, UNPIVOT and SHOW may not be used", "write SELECT; find names the tables and their columns.")
    for select in (n for n in found if n.get("type") == "SELECT_NODE"):
        _check_select(sql, select, columns, has_draws=has_draws)
    _check_renames(sql, found, columns)


def check_result(sql: str, names: tuple[str, ...], columns: frozenset[str]) -> None:
    """Refuse a result that has an estimate without its interval.

    Raises:
        UsageError: It names the columns to add.
    """
    present = {name.lower() for name in names}
    for name in present:
        stem = _stem(name)
        missing = [f"{stem}{end}" for end in ("_p05", "_p95") if f"{stem}{end}" not in present]
        if (name in columns or name.endswith("_p50")) and missing:
            raise _refused(sql, f"{name} would be given without its interval", f"select {' and '.join(missing)} too.")


def estimates(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the names of all columns of marts that belong to an estimate: the middle and both ends of its interval."""
    tables: dict[str, set[str]] = {}
    for table, name in con.sql("select table_name, column_name from meta.columns where layer = 'marts'").fetchall():
        tables.setdefault(table, set()).add(name)
    found: set[str] = set()
    for names in tables.values():
        stems = {
            name.removesuffix("_p05") for name in names if name.endswith("_p05") and f"{name.removesuffix('_p05')}_p95" in names
        }
        found |= names & {f"{stem}{end}" for stem in stems for end in ("", *ENDS)}
    return frozenset(found)


def _check_select(sql: str, select: dict[str, Any], columns: frozenset[str], *, has_draws: bool) -> None:
    """Check the select list of one SELECT."""
    reads_draws = has_draws and any(
        str(n.get("table_name", "")).lower().endswith(DRAWS) for n in _nodes(select.get("from_table"))
    )
    if reads_draws:
        _check_draws(sql, select)
    for item in select.get("select_list", []):
        names = _estimates_in(item, columns)
        if not names:
            continue
        used = [str(n["function_name"]) for n in _nodes(item) if n.get("class") in {"FUNCTION", "WINDOW"}]
        if any(AGGREGATES.match(name) for name in used) and item.get("class") != "WINDOW":
            raise _refused(
                sql, f"{', '.join(sorted(names))}: a quantile is not added up, averaged or picked out by an aggregate",
                "compute draw by draw in the table whose name ends in _draws, then take quantile_cont(x, [0.05, 0.5, 0.95]).",
            )  # fmt: skip
        own = _own_name(item)
        others = {n.get("class") for n in _nodes(item)} & {"SUBQUERY", "CASE", "LAMBDA", "COMPARISON", "CONJUNCTION", "WINDOW"}
        is_plain = not others and all(name in FINE for name in used)
        kinds = {_end(name) for name in names}
        if not is_plain or (
            item.get("class") != "STAR"
            and (len(kinds) > 1 or _end(own) not in kinds or (own not in columns and not own.endswith(ENDS)))
        ):
            ending = min(kinds) or "the same name"
            raise _refused(
                sql, f"{own or 'a column'} is computed from {', '.join(sorted(names))} under a name that does not show it",
                f"give it a name that ends in {ending}, with _p05 and _p95 beside it.",
            )  # fmt: skip

    _check_ends(sql, select, columns)


def _check_ends(sql: str, select: dict[str, Any], columns: frozenset[str]) -> None:
    """Refuse an estimate beside ends of an interval that are not its own, or are not computed as it is."""
    forms: dict[str, dict[str, str]] = {}
    with_estimate = set()
    for item in select.get("select_list", []):
        own = _own_name(item)
        if own in columns or own.endswith(ENDS):
            forms.setdefault(_stem(own), {})[own] = json.dumps(_form(item, columns), sort_keys=True)
            if _estimates_in(item, columns):
                with_estimate.add(_stem(own))
    for stem in sorted(with_estimate):
        if len(set(forms[stem].values())) > 1:
            names = ", ".join(sorted(forms[stem]))
            raise _refused(sql, f"{names} are not computed in the same way", "compute the ends of an interval as its middle.")


def _own_name(item: dict[str, Any]) -> str:
    """Return the name that an item of a select list has in the result; empty for an expression without one."""
    return str(item.get("alias") or (item["column_names"][-1] if item.get("class") == "COLUMN_REF" else "")).lower()


def _form(node: object, columns: frozenset[str]) -> object:
    """Return an expression without its name and its place in the text, and with estimates under the name of their middle."""
    if isinstance(node, list):
        return [_form(one, columns) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _form(value, columns) for key, value in node.items() if key not in PLACES}
    if "column_names" in node:
        *path, name = (str(one).lower() for one in node["column_names"])
        plain["column_names"] = [*path, _stem(name) if name in columns or name.endswith(ENDS) else name]
    return plain


def _check_draws(sql: str, select: dict[str, Any]) -> None:
    """Refuse an aggregate over draws that is not given with both ends of its interval."""
    groups = {
        str(n["column_names"][-1]).lower()
        for e in select.get("group_expressions", [])
        for n in _nodes(e)
        if n.get("column_names")
    }
    if "draw" in groups:  # sums within a draw
        return
    aggregates = [
        n for item in select.get("select_list", []) for n in _nodes(item)
        if n.get("class") == "FUNCTION" and AGGREGATES.match(str(n["function_name"]))
    ]  # fmt: skip
    constants = {c for n in aggregates for c in _numbers(n)}
    if aggregates and not {LOW, HIGH} <= constants:
        raise _refused(
            sql, "an aggregate over draws would be given without its interval", "take quantile_cont(x, [0.05, 0.5, 0.95]) of it."
        )  # fmt: skip


def _check_renames(sql: str, found: list[dict[str, Any]], columns: frozenset[str]) -> None:
    """Refuse what gives a column another name without an alias of its own."""
    names = {name for n in found for name in _own_estimates(n, columns)}
    tables = {str(n[key]).lower() for n in found if n.get("type") in SOURCES for key in ("alias", "table_name") if n.get(key)}
    has_star = any(n.get("class") == "STAR" for n in found)
    for node in found:
        if node.get("column_name_alias") and (names or has_star):
            raise _refused(sql, "columns of a table are renamed in FROM", "name them in SELECT, with `as`.")
        if node.get("aliases") and node.get("query_node") and (names or has_star):
            raise _refused(sql, "columns of a WITH are renamed", "name them in its SELECT, with `as`.")
        if node.get("class") == "COLUMN_REF" and [str(n).lower() for n in node["column_names"]] in [[one] for one in tables]:
            raise _refused(sql, f"{node['column_names'][0]} is a whole row", "name the columns.")
        if node.get("class") == "STAR" and node.get("columns") and node.get("alias"):
            raise _refused(sql, "COLUMNS gives several columns one name", "name the columns.")
        if node.get("class") == "POSITIONAL_REFERENCE":
            raise _refused(sql, "a column is named by its place", "name it.")
        if node.get("class") == "STAR" and (node.get("rename_list") or node.get("replace_list")):
            raise _refused(sql, "columns are renamed or replaced in *", "name the columns.")
        if node.get("type") == "SET_OPERATION_NODE" and names:
            raise _refused(sql, "UNION and the like give an estimate the name of another column", "write two statements.")
        if node.get("class") == "CONSTANT" and _names_estimate(node, columns) and not _reads_only_meta(found):
            raise _refused(sql, "an estimate is named in a text", "name the column in SELECT.")


def _reads_only_meta(found: list[dict[str, Any]]) -> bool:
    return all(n.get("schema_name") == "meta" for n in found if n.get("type") == "BASE_TABLE")


def _names_estimate(node: dict[str, Any], columns: frozenset[str]) -> bool:
    words = re.findall(r"\w+", str((node.get("literal") or {}).get("text", "")).lower())
    return any(word in columns and word.endswith(ENDS) for word in words)


def _own_estimates(node: dict[str, Any], columns: frozenset[str]) -> set[str]:
    names = node.get("column_names") if node.get("class") == "COLUMN_REF" else None
    return {str(name).lower() for name in names or [] if str(name).lower() in columns}


def _estimates_in(item: dict[str, Any], columns: frozenset[str]) -> set[str]:
    """Return the estimates that an item of a select list is computed from; the place in an order is none."""
    found: set[str] = set()
    stack: list[Any] = [item]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if node.get("class") == "WINDOW" and str(node.get("function_name")) in {"row_number", "rank", "dense_rank", "ntile"}:
                continue
            found |= _own_estimates(node, columns)
            stack += node.values()
        elif isinstance(node, list):
            stack += node
    return found


def _numbers(node: object) -> Iterator[float]:
    """Yield the numbers that stand in an expression."""
    for one in _nodes(node):
        literal = one.get("literal") or {}
        if literal.get("kind") in {"NUMERIC", "INTEGER"}:
            yield float(literal["text"])


def _stem(name: str) -> str:
    return next((name.removesuffix(end) for end in ENDS if name.endswith(end)), name)


def _end(name: str) -> str:
    return next((end for end in ENDS if name.endswith(end)), "")


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


@functools.cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _parsed(sql: str) -> dict[str, Any]:
    """Return DuckDB's parse tree of one SELECT."""
    tree: dict[str, Any] = json.loads(_parser().cursor().execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if tree["error"]:
        raise _refused(sql, f"this is not one SELECT: {tree.get('error_message')}", "write one SELECT, or start with FROM.")
    if len(tree["statements"]) != 1:
        raise _refused(sql, f"these are {len(tree['statements'])} statements", "send one at a time.")
    return tree


def _refused(sql: str, what: str, fix: str) -> UsageError:
    return UsageError(what, sql if len(sql) <= 300 else f"{sql[:300]}…", fix)  # noqa: PLR2004
