"""What differs between two builds, mart by mart and row by row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from datamoat.build.inputs import current_build
from datamoat.errors import UsageError
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, quoted
from datamoat.storage.warehouse import Published, build_to_read, check_retained, retained_builds

Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]


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
    """Return the first values of a mart that differ: key, column, value before, value after.

    A row that is only on one side has no value on the other.
    """
    grain = dict(con.sql("select table_name, grain from after.meta.models where layer = 'marts'").fetchall())[name]
    selects = []
    for column in _shared(con, name):
        if column in grain:
            continue
        keys = ", ".join(f"{identifier(key)}::varchar AS {identifier(key)}" for key in grain)
        c = identifier(column)
        selects.append(
            f"select {keys}, {quoted(column)} AS column_name, b.{c}::varchar AS value_before, a.{c}::varchar AS value_after"
            f" from after.marts.{identifier(name)} a full join before.marts.{identifier(name)} b"
            f" using ({', '.join(map(identifier, grain))}) where a.{c} is distinct from b.{c}"
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


def compare_builds(
    settings: Settings, before: str | None, table: str | None, limit: int, *, working: bool = False
) -> tuple[str, Table]:
    """Compare the published marts with those of an earlier build.

    Args:
        settings: Where the builds are.
        before: Id of the earlier build; the one published before if None.
        table: Return the rows of this mart that differ; one row a mart if None.
        limit: How many rows at most.
        working: Compare the newest build of the lake with what is published: what publishing it would change.

    Returns:
        A sentence and a table.

    Raises:
        PublishRefusedError: Nothing is published, or a file is not what was published.
        ModelFailedError: The newest build was made from other inputs or code than those here.
        UsageError: The build is not retained, or there is no such mart.
    """
    with duckdb.connect() as con:
        if working:
            earlier = build_to_read(settings)
            current_id = current_build(settings).build_id
            attach_lake(con, "after", settings.lake)
        else:
            current, earlier = _two_builds(settings, before)
            current_id = current.build_id
            attach(con, "after", current.path)
        attach(con, "before", earlier.path)
        if table is not None:
            for side, build_id in (("before", earlier.build_id), ("after", current_id)):
                listed = con.sql(f"select table_name from {side}.meta.models where layer = 'marts'").fetchall()
                if (table,) not in listed:
                    raise UsageError(f"there is no mart {table!r}", f"build {build_id}", "`datamoat show` lists those of today.")
            columns, found = changed_rows(con, table, limit)
            return f"{earlier.build_id} → {current_id}: {table}", (tuple(columns), found)
        differ = [one for one in differences(con) if not one.is_none]
    return f"{earlier.build_id} → {current_id}: {len(differ)} marts differ", (
        ("table", "n_before", "n_after", "n_added", "n_removed", "n_changed", "columns"),
        [(d.table_name, d.n_before, d.n_after, d.n_added, d.n_removed, d.n_changed, d.summary) for d in differ],
    )


def _two_builds(settings: Settings, before: str | None) -> tuple[Published, Published]:
    """Return the published build and the earlier one."""
    current = build_to_read(settings)
    others = [build for build in retained_builds(settings) if build.build_id != current.build_id]
    earlier = next((build for build in others if before in (None, build.build_id)), None)
    if earlier is None:
        raise UsageError(
            f"build {before} is not retained" if before else "there is no earlier build to compare with",
            str(settings.warehouse / "builds"),
            f"retained: {', '.join(build.build_id for build in others)}."
            if others
            else "run `datamoat run` again after a fact or a model has changed.",
        )
    for build in (current, earlier):
        check_retained(build)
    return current, earlier
