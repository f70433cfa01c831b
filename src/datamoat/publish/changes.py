"""Why published numbers moved: each difference to the build published before, with its cause.

The differences are found cell by cell. The cause follows the lineage of the column: of the things that changed between
the two builds, only those the column is computed from can have moved it. If several can, the first in this order is the
cause and the others are named beside it: method, entity_merge, correction, source, new_period. A row that is new because
its date lies after the earlier build's is new_period. Every difference has exactly one cause, so the counts by cause add
up to the differences. It is written when a build is published, because only then is it known what was published before.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from datamoat.project.fingerprint import versions
from datamoat.storage.lake import identifier, quoted

CAUSES = ("method", "entity_merge", "correction", "source", "new_period")
WHOLE_ROW = "*"
CONFIG = "causes"  # in transforms/build.yml: which reference files are `method`, and which are `entity_merge`
COLUMNS = {
    "build_id": ("VARCHAR", "The build in which the value is new."),
    "previous_build_id": ("VARCHAR", "The build published before it."),
    "table_name": ("VARCHAR", "The mart."),
    "row_key": ("VARCHAR", "The row, as `name=value; name=value` over the mart's grain."),
    "column_name": ("VARCHAR", "The column; `*` for a row that was added or removed."),
    "old_value": ("VARCHAR", "The value before, as text; null where the row is new or the value was null."),
    "new_value": ("VARCHAR", "The value now, as text; null where the row is gone or the value is null."),
    "cause": (
        "VARCHAR",
        (
            "method (a model, setting or assumption changed), entity_merge (whose it is changed), correction (a fact was changed"
            " or withdrawn), source (a fact or answer was added), new_period (only time went on)."
        ),
    ),
    "other_causes": ("VARCHAR[]", "What else changed that this column is computed from."),
}
DESCRIPTION = "What differs from the build published before, cell by cell, each with one cause. Draws are left out: their quantiles are here."


def write_change(con: duckdb.DuckDBPyConnection, previous: Path | None, build: dict[str, Any]) -> None:
    """Create and fill `marts.change` in the current database, the build about to be published.

    Args:
        con: A connection whose current database is the new file, with `marts` and `meta` filled.
        previous: The retained file of the build published before; None where there is none.
        build: The content of transforms/build.yml, for `causes`.
    """
    declared = ", ".join(
        f"{name} {kind}{'' if name in {'old_value', 'new_value'} else ' not null'}" for name, (kind, _) in COLUMNS.items()
    )
    con.execute(f"create table marts.change ({declared})")
    con.execute(f"comment on table marts.change is {quoted(DESCRIPTION)}")
    for name, (_, means) in COLUMNS.items():
        con.execute(f"comment on column marts.change.{name} is {quoted(means)}")
    if previous is None:
        return
    con.execute(f"attach {quoted(str(previous))} as before (read_only)")
    try:
        if con.sql("select 1 from duckdb_tables() where database_name = 'before' and table_name = 'input_rows'").fetchall():
            causes = _Causes(con, build)
            con.execute("create temp table _found as from marts.change")
            for statement in _statements(con, causes):
                con.execute(f"insert into _found {statement}")
            # Once and in order: the same rows take half the space, and no block of the file is written twice.
            con.execute("insert into marts.change from _found order by table_name, row_key, column_name")
            con.execute("drop table _found")
    finally:
        con.execute("detach before")


def _statements(con: duckdb.DuckDBPyConnection, causes: "_Causes") -> Iterable[str]:
    """Yield one SELECT for each column, one for added and one for removed rows."""
    listed = "select table_name, grain from {}meta.models where layer = 'marts' and not list_contains(grain, 'draw') order by 1"
    now = dict(con.sql(listed.format("")).fetchall())
    was = dict(con.sql(listed.format("before.")).fetchall())
    (build_id, _), (old_id, old_as_of) = (
        con.sql(f"select build_id, as_of from {place}meta.build").fetchall()[0] for place in ("", "before.")
    )
    both_ids = f"{quoted(build_id)} as build_id, {quoted(old_id)} as previous_build_id"
    for name in sorted(set(now) & set(was)):
        if now[name] != was[name]:
            continue
        here, there = f"marts.{identifier(name)}", f"before.marts.{identifier(name)}"
        kinds = {row[0]: row[1] for row in con.sql(f"describe {here}").fetchall()}
        shared = [row[0] for row in con.sql(f"describe {there}").fetchall() if row[0] in kinds]
        grain = now[name]
        using = ", ".join(identifier(key) for key in grain)
        for column in (column for column in shared if column not in grain):
            cause, others = causes.of(name, [column])
            c = identifier(column)
            yield (
                f"select {both_ids}, {quoted(name)}, {_key(grain, 'n')}, {quoted(column)}, o.{c}::varchar, n.{c}::varchar,"
                f" {quoted(cause)}, {others} from {here} n join {there} o using ({using}) where n.{c} is distinct from o.{c}"
            )
        cause, others = causes.of(name, list(kinds))
        dates = [f"n.{identifier(key)} > date {quoted(str(old_as_of))}" for key in grain if kinds[key] == "DATE"]
        is_later = " or ".join(dates) or "false"
        yield (
            f"select {both_ids}, {quoted(name)}, {_key(grain, 'n')}, {quoted(WHOLE_ROW)}, null, 'present',"
            f" case when {is_later} then 'new_period' else {quoted(cause)} end, case when {is_later} then []::varchar[] else {others} end"
            f" from {here} n anti join {there} o using ({using})"
        )
        yield (
            f"select {both_ids}, {quoted(name)}, {_key(grain, 'o')}, {quoted(WHOLE_ROW)}, 'present', null, {quoted(cause)}, {others}"
            f" from {there} o anti join {here} n using ({using})"
        )


def _key(grain: list[str], alias: str) -> str:
    """Return the SQL for a row's key as text."""
    return " || '; ' || ".join(f"'{name}=' || {alias}.{identifier(name)}::varchar" for name in grain)


class _Causes:
    """What changed between two builds, and which columns can have moved with it."""

    def __init__(self, con: duckdb.DuckDBPyConnection, build: dict[str, Any]) -> None:
        kinds = dict(build.get(CONFIG) or {})
        self._method = {f"raw.{name}" for name in kinds.get("method", [])}
        self._identity = {f"raw.{name}" for name in kinds.get("entity_merge", [])}
        self._edges: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._columns: dict[str, set[str]] = {}
        for layer, table, own, from_table, from_column in con.sql(
            "select layer, table_name, column_name, from_table, from_column from meta.lineage"
        ).fetchall():
            self._edges.setdefault((f"{layer}.{table}", own), set()).add((from_table, from_column))
            self._columns.setdefault(f"{layer}.{table}", set()).add(own)
        self._reads = {
            f"{layer}.{table}": set(reads)
            for layer, table, reads in con.sql("select layer, table_name, reads from meta.models").fetchall()
        }
        self._models = {
            name
            for (name,) in con.sql(
                "select n.layer || '.' || n.table_name from meta.models n left join before.meta.models o using (layer, table_name)"
                " where n.model_text is distinct from o.model_text"
            ).fetchall()
        }
        programs = {
            name for (name,) in con.sql("select layer || '.' || table_name from meta.models where path like '%.py'").fetchall()
        }
        inputs = {
            name: (new, old)
            for name, new, old in con.sql(
                "select input, n.sha256, o.sha256 from meta.inputs n full join before.meta.inputs o using (input)"
            ).fetchall()
        }
        changed = {name for name, (new, old) in inputs.items() if new != old}
        if changed & {"code", "settings"}:
            self._models |= programs
        self._all_move = bool(changed & {"engine", *versions()})
        self._is_later = "as_of" in changed
        self._answers = "snapshots" in changed
        self._rows: dict[str, set[str]] = {}
        for name, n_new, n_other in con.sql(
            "select input, count(*) filter (where o.row_key is null) as n_new,"
            " count(*) filter (where n.row_key is null or (o.row_key is not null and n.row_md5 <> o.row_md5)) as n_other"
            " from meta.input_rows n full join before.meta.input_rows o using (input, row_key) group by 1"
        ).fetchall():
            table = f"raw.reference__{Path(name).stem}"
            found = {"source"} if n_new else set()
            self._rows[table] = found | ({"correction"} if n_other else set())
        self._known: dict[tuple[str, tuple[str, ...]], tuple[str, str]] = {}

    def of(self, table: str, columns: list[str]) -> tuple[str, str]:
        """Return the cause of a difference in these columns, and the other candidates as a SQL list."""
        key = (table, tuple(columns))
        if key not in self._known:
            causes = self._candidates(f"marts.{table}", columns)
            ordered = [cause for cause in CAUSES if cause in causes] or ["method"]
            others = ", ".join(quoted(cause) for cause in ordered[1:] if cause != "new_period")
            self._known[key] = ordered[0], f"[{others}]::varchar[]"
        return self._known[key]

    def _candidates(self, start: str, columns: list[str]) -> set[str]:
        """Return everything that changed above these columns."""
        seen = {(start, column) for column in columns}
        queue = list(seen)
        tables = {start}
        while queue:
            at, own = queue.pop()
            steps: set[tuple[str, str]] = set()
            for name in self._columns.get(at, set()) if own == "*" else {own}:
                steps |= self._edges.get((at, name), set())
            if not steps:  # a count, say: it comes from the rows of whatever the table reads
                steps = {(read, "*") for read in self._reads.get(at, set())}
            new = steps - seen
            seen |= new
            queue += new
            tables |= {name for name, _ in steps}
        causes = {"new_period"} if self._is_later else set()
        if self._all_move or tables & self._models or any(self._rows.get(name) for name in tables & self._method):
            causes.add("method")
        if any(self._rows.get(name) for name in tables & self._identity):
            causes.add("entity_merge")
        for name in tables - self._method - self._identity:
            causes |= self._rows.get(name, set())
        is_live = any(name.startswith("raw.") and not name.startswith("raw.reference__") for name in tables)
        if self._answers and (is_live or any(name.startswith("meta.") for name in tables)):
            causes.add("source")
        return causes
