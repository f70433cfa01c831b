"""What differs between two builds, mart by mart and row by row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from datamoat.storage.lake import identifier, quoted


@dataclass(frozen=True)
class Difference:
    """How one mart differs.

    Attributes:
        table_name: The mart.
        n_before: Rows before.
        n_after: Rows after.
        n_added: Keys that are new.
        n_removed: Keys that are no longer there.
        n_changed: Rows whose key stayed and whose values did not.
        columns: The columns in which rows changed, with how many rows each.
        added_columns: Columns that are new.
        removed_columns: Columns that are no longer there.
    """

    table_name: str
    n_before: int
    n_after: int
    n_added: int
    n_removed: int
    n_changed: int
    columns: dict[str, int]
    added_columns: tuple[str, ...] = ()
    removed_columns: tuple[str, ...] = ()

    @property
    def is_none(self) -> bool:
        """Whether nothing differs."""
        return not (self.n_added or self.n_removed or self.n_changed or self.added_columns or self.removed_columns)

    @property
    def summary(self) -> str:
        """The columns that differ, in a line: changed ones with how many rows, new ones with +, removed ones with -."""
        changed = [f"{name} ({n})" for name, n in self.columns.items()]
        return ", ".join([*changed, *(f"+{name}" for name in self.added_columns), *(f"-{name}" for name in self.removed_columns)])


def attach(con: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    """Open a published file under a name, for reading."""
    con.execute(f"attach {quoted(str(path))} as {identifier(name)} (read_only)")


def attach_lake(con: duckdb.DuckDBPyConnection, name: str, lake: Path) -> None:
    """Show the newest build of the lake, published or not, under a name as if it were a published file."""
    con.execute(f"attach ':memory:' as {identifier(name)}")
    for schema in ("marts", "meta"):
        con.execute(f"create schema {identifier(name)}.{schema}")
        for path in sorted((lake / schema).glob("*.parquet")):
            con.execute(
                f"create view {identifier(name)}.{schema}.{identifier(path.stem)} as from read_parquet({quoted(str(path))})"
            )


def differences(con: duckdb.DuckDBPyConnection) -> list[Difference]:
    """Compare the marts of two attached databases, `before` and `after`."""
    listed = "select table_name, grain from {}.meta.models where layer = 'marts'"
    before = dict(con.sql(listed.format("before")).fetchall())
    after = dict(con.sql(listed.format("after")).fetchall())
    found = []
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            side = "after" if name in after else "before"
            n = con.sql(f"select count(*) AS n from {side}.marts.{identifier(name)}").fetchall()[0][0]
            found.append(Difference(name, 0, n, n, 0, 0, {}) if side == "after" else Difference(name, n, 0, 0, n, 0, {}))
            continue
        found.append(_difference(con, name, after[name]))
    return found


def changed_rows(con: duckdb.DuckDBPyConnection, name: str, limit: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the first rows of a mart that differ: key, column, value before, value after."""
    grain = dict(con.sql("select table_name, grain from after.meta.models where layer = 'marts'").fetchall())[name]
    selects = []
    for column in _shared(con, name):
        if column in grain:
            continue
        keys = ", ".join(f"a.{identifier(key)}::varchar AS {identifier(key)}" for key in grain)
        c = identifier(column)
        selects.append(
            f"select {keys}, {quoted(column)} AS column_name, b.{c}::varchar AS value_before, a.{c}::varchar AS value_after"
            f" from after.marts.{identifier(name)} a join before.marts.{identifier(name)} b using ({', '.join(map(identifier, grain))})"
            f" where a.{c} is distinct from b.{c}"
        )
    if not selects:
        return [], []
    relation = con.sql(" union all ".join(selects) + f" order by all limit {limit}")
    return list(relation.columns), relation.fetchall()


def _columns(con: duckdb.DuckDBPyConnection, side: str, name: str) -> list[str]:
    """Return the columns a mart has on one side."""
    return [row[0] for row in con.sql(f"describe {side}.marts.{identifier(name)}").fetchall()]


def _shared(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Return the columns a mart has on both sides."""
    before = set(_columns(con, "before", name))
    return [column for column in _columns(con, "after", name) if column in before]


def _difference(con: duckdb.DuckDBPyConnection, name: str, grain: list[str]) -> Difference:
    """Compare one mart by its key."""
    key = ", ".join(identifier(column) for column in grain)
    others = [column for column in _shared(con, name) if column not in grain]
    tests = [f"a.{identifier(column)} is distinct from b.{identifier(column)}" for column in others]
    counts = ", ".join(f"count(*) filter (where {test}) AS c{i}" for i, test in enumerate(tests))
    changed = " or ".join(tests) or "false"
    both = f"after.marts.{identifier(name)} a join before.marts.{identifier(name)} b using ({key})"
    one = con.sql(f"select count(*) AS n, count(*) filter (where {changed}) AS m{', ' + counts if counts else ''} from {both}")
    n_both, n_changed, *each = one.fetchall()[0]
    n_before, n_after = (
        con.sql(f"select count(*) AS n from {side}.marts.{identifier(name)}").fetchall()[0][0] for side in ("before", "after")
    )
    moved = {column: n for column, n in zip(others, each, strict=True) if n}
    was, now = _columns(con, "before", name), _columns(con, "after", name)
    added, removed = (tuple(column for column in one if column not in other) for one, other in ((now, was), (was, now)))
    return Difference(name, n_before, n_after, n_after - n_both, n_before - n_both, n_changed, moved, added, removed)
