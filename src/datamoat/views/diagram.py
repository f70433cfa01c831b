"""The entity-relationship diagram of the marts, in Mermaid, from their keys and the rows of the published file.

A column name has one meaning in every table. So a mart refers to another one if it has all columns of the other's key, and
if every value of them, where it is given, is in the other: that is looked up, not assumed.
"""

from collections import Counter
from typing import NamedTuple

import duckdb

from datamoat.storage.lake import identifier


class Column(NamedTuple):
    """What the diagram shows of one column."""

    type: str
    is_nullable: bool


class Reference(NamedTuple):
    """A foreign key: each row of `child` names at most one row of `parent` by the parent's whole key."""

    parent: str
    child: str
    keys: tuple[str, ...]


def diagram_page(con: duckdb.DuckDBPyConnection) -> str:
    """Return the page with the diagram and the list of keys that several marts share.

    Args:
        con: A connection to the published file.
    """
    grains, columns = _keys(con)
    references = _direct(_references(con, grains, columns))
    lines = ["# How the tables fit together", "", "```mermaid", "erDiagram"]
    for parent, child, keys in references:
        one = "|o" if any(columns[child][key].is_nullable for key in keys) else "||"
        many = "o|" if set(grains[child]) == set(keys) else "o{"
        lines.append(f'    {parent} {one}--{many} {child} : "{", ".join(keys)}"')
    for name, grain in grains.items():
        foreign = {key for _, child, keys in references if child == name for key in keys}
        lines.append(f"    {name} {{")
        lines += [f"        {columns[name][key].type} {key} PK{', FK' if key in foreign else ''}" for key in grain]
        lines += [f"        {columns[name][key].type} {key} FK" for key in sorted(foreign - set(grain))]
        lines.append("    }")
    lines += [
        "```", "",
        "Shown are the key of each mart (PK) and the columns that refer to another mart's whole key (FK), where every value was",
        "found in the other mart of the published file; a reference that follows from two others is left out.", "",
        "## Keys that several marts share", "",
        "Equal names mean the same thing in every table, so these columns join:", "",
        "| column | in the key of |", "|---|---|",
    ]  # fmt: skip
    shared = Counter(key for grain in grains.values() for key in grain)
    lines += [
        f"| `{key}` | {', '.join(f'`{name}`' for name, grain in grains.items() if key in grain)} |"
        for key, n_marts in sorted(shared.items())
        if n_marts > 1
    ]
    return "\n".join(lines) + "\n"


def _keys(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, Column]]]:
    """Return the key of each mart and its columns."""
    found = con.sql("select table_name, grain from meta.models where layer = 'marts' order by table_name").fetchall()
    columns: dict[str, dict[str, Column]] = {}
    relation = con.sql("select table_name, column_name, type, is_nullable from meta.columns where layer = 'marts'")
    for table, name, kind, is_nullable in relation.fetchall():
        columns.setdefault(table, {})[name] = Column(kind, is_nullable)
    return {table: tuple(grain) for table, grain in found}, columns


def _references(
    con: duckdb.DuckDBPyConnection, grains: dict[str, tuple[str, ...]], columns: dict[str, dict[str, Column]]
) -> list[Reference]:
    """Return every reference from one mart to another that its columns allow and its rows keep."""
    return [
        Reference(parent, child, keys)
        for parent, keys in grains.items()
        for child in grains
        if child != parent and set(keys) <= set(columns[child]) and _is_kept(con, parent, child, keys)
    ]


def _is_kept(con: duckdb.DuckDBPyConnection, parent: str, child: str, keys: tuple[str, ...]) -> bool:
    """Return whether every row of the child that gives all keys finds its row of the parent, and one such row exists."""
    names = ", ".join(identifier(key) for key in keys)
    given = " and ".join(f"{identifier(key)} is not null" for key in keys)
    child_keys = f"(select distinct {names} from marts.{identifier(child)} where {given})"
    n_keys, n_missing = con.sql(
        f"select (select count(*) from {child_keys}),"
        f" (select count(*) from {child_keys} as c anti join marts.{identifier(parent)} as p using ({names}))"
    ).fetchall()[0]
    return bool(n_keys) and not n_missing


def _direct(references: list[Reference]) -> list[Reference]:
    """Return the references that do not follow from two others."""
    pairs = {(parent, child) for parent, child, _ in references}
    between = {child for _, child in pairs}
    return [
        reference
        for reference in references
        if not any((reference.parent, other) in pairs and (other, reference.child) in pairs for other in between)
    ]
