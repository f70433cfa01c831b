"""A scenario build: the tables that lead to one mart, built again with changed inputs, in a folder that is thrown away.

Cached results run again only if what they read has changed, so that an input which acts after a fit costs seconds, and one
that the fit depends on costs a fit.
"""

import difflib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from datamoat.build.inputs import current_build
from datamoat.build.record import Build, read_build
from datamoat.build.run import build_models
from datamoat.errors import ModelFailedError, UsageError
from datamoat.project.model import Project, Table
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, parquet, path_of, quoted
from datamoat.storage.warehouse import intact_ids, published_build

SMALL = 1e-6  # relative change below which a quantile has not changed
ENDS = ("p05", "p50", "p95")


@contextmanager
def scenario_build(settings: Settings, change: Callable[[Path], list[str]], target: str | None) -> Iterator[Path]:
    """Build the tables that lead to `target` with changed inputs, and yield the lake they are in.

    Args:
        settings: Of the build to differ from.
        change: Edits a copy of the reference folder and returns the names of the tables it changed.
        target: The mart; None for every table.

    Raises:
        UsageError: A changed table does not lead to the mart.
        ModelFailedError: There is no finished build to differ from, it was made from other inputs or code than those here, or
            another build is published.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="whatif-", dir=settings.data) as folder:
        content, data = Path(folder) / "content", Path(folder) / "data"
        shutil.copytree(settings.content / "transforms", content / "transforms")
        shutil.copytree(settings.reference, content / "data" / "reference")
        changed = change(content / "data" / "reference")
        (data / "lake").mkdir(parents=True)
        for shared in ("lake/cache", "snapshots"):
            if (settings.data / shared).exists():
                (data / shared).symlink_to(settings.data / shared)
        project = read_project(content)
        project = replace(project, macros=(), checks=(), expectations=()) if target is None else leading_to(project, target)
        read = {name for model in project.models for name in model.reads}
        unrelated = sorted(name for name in changed if f"raw.reference__{name}" not in read)
        if unrelated:
            raise UsageError(
                f"{target or 'no table'} does not depend on the reference table {unrelated[0]}",
                "datamoat whatif",
                f"it depends on {', '.join(sorted(n.removeprefix('raw.reference__') for n in read if n.startswith('raw.reference__')))}.",
            )
        as_of = _current_and_published(settings).as_of
        made = replace(settings, content=content, data=data, store="")
        if build_models(made, project).as_of != as_of:  # with a date, a build leaves out what became public later
            build_models(made, project, as_of)
        yield made.lake


def _current_and_published(settings: Settings) -> Build:
    """Return the build in the lake, if it is current and, where anything is published, the published one."""
    current, published = current_build(settings), published_build(settings)
    if published is not None and published.build_id != current.build_id:
        back = f", or go back with `datamoat rollback {current.build_id}`" if current.build_id in intact_ids(settings) else ""
        raise ModelFailedError(
            f"the build in the lake is {current.build_id} and the published one is {published.build_id}: effects would mix",
            str(settings.lake),
            f"publish what is here with `datamoat run`{back}.",
        )
    return current


def changed_marts(settings: Settings, other: Path) -> list[tuple[str, int, int]]:
    """Return name, rows that differ and rows of every mart that differs between the lake and a scenario build.

    Args:
        settings: Of the build to differ from.
        other: The lake of a scenario build of every table.
    """
    ours, theirs = read_build(settings.lake).tables, read_build(other).tables
    found = []
    with duckdb.connect() as con:
        for name in sorted(theirs):
            if "content_hash" in theirs[name] and theirs[name]["content_hash"] != ours[name]["content_hash"]:
                a, b = (f"(from read_parquet({quoted(str(path_of(lake, name)))}))" for lake in (settings.lake, other))
                n_changed = con.sql(f"select count(*) as n from ({b} except {a})").fetchall()[0][0]
                n_gone = con.sql(f"select count(*) as n from ({a} except {b})").fetchall()[0][0]
                found.append((name, max(n_changed, n_gone), int(theirs[name]["n_rows"])))
    return found


def leading_to(project: Project, target: str) -> Project:
    """Return the models that one table depends on, in graph order, and nothing else."""
    wanted = {target}
    leading = []
    for model in reversed(project.models):
        if wanted & {table.id for table in model.tables}:
            leading.append(model)
            wanted |= set(model.reads)
    return replace(project, models=tuple(reversed(leading)), macros=(), checks=(), expectations=())


def check_choice(
    settings: Settings, con: duckdb.DuckDBPyConnection, relation: str, target: str, quantity: str, where: Mapping[str, str]
) -> None:
    """Check that a mart has the rows and the quantity to compare, before anything is built.

    Args:
        settings: Where the content is.
        con: Has the mart as `relation`.
        relation: The mart as it is published.
        target: Its name.
        quantity: The column without its `_p05`, `_p50`, `_p95`.
        where: Values of key columns.

    Raises:
        UsageError: The mart has no such quantity, key column, value or row.
    """
    project = read_project(settings.content)
    table = project.tables[target]
    unknown = sorted(set(where) - set(table.grain))
    if unknown:
        raise UsageError(f"{target} has no key column {unknown[0]}", "--where", f"it has {', '.join(table.grain)}.")
    names = {row[0] for row in con.sql(f"describe from {relation}").fetchall()}
    if f"{quantity}_p50" not in names:
        known = sorted(name.removesuffix("_p50") for name in names if name.endswith("_p50"))
        raise UsageError(f"{target} has no {quantity}", "--of", f"choose one of {known}.")
    for key, value in where.items():
        column = identifier(key)
        values = [str(one) for (one,) in con.sql(f"select distinct {column}::varchar from {relation} order by all").fetchall()]
        if value not in values:
            near = difflib.get_close_matches(value, values, 3)
            some = f"it is one of {len(values)}, from {values[0]} to {values[-1]}." if values else "the mart is empty."
            raise UsageError(
                f"no row of {target} has {key}={value}", "--where", f"did you mean {' or '.join(near)}?" if near else some
            )
    chosen = " and ".join(_chosen(project, table, where, relation))
    if where and not con.sql(f"from {relation} as a where {chosen} and a.{quantity}_p50 is not null limit 1").fetchall():
        given = ", ".join(f"{key}={value}" for key, value in where.items())
        raise UsageError(
            f"no row of {target} with {given} has a {quantity}", "--where", f'see `datamoat query "from {target}"` for its rows.'
        )


def compare_quantiles(
    settings: Settings, other: Path, target: str, quantity: str, where: Mapping[str, str]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the rows of a mart whose quantiles differ between the lake and a scenario build, the largest move first.

    Args:
        settings: Of the build to differ from.
        other: The lake of the scenario build.
        target: The mart.
        quantity: The column without its `_p05`, `_p50`, `_p95`.
        where: Values of key columns, after `check_choice`. A date left out is the newest; a column with a list of allowed
            values takes the first.

    Returns:
        The key columns, the quantiles before and after, and the ratio of the medians.
    """
    project = read_project(settings.content)
    table = project.tables[target]
    with duckdb.connect() as con:
        for name, lake in (("before", settings.lake), ("after", other)):
            con.execute(f"create view {name} as from {parquet(path_of(lake, target))}")
        keys = [f"a.{identifier(key)}" for key in table.grain]
        ends = [f"{s}.{quantity}_{end} as {side}_{end}" for s, side in (("a", "before"), ("b", "after")) for end in ENDS]
        moves = [f"abs(b.{quantity}_{end} / a.{quantity}_{end} - 1)" for end in ENDS]
        found = con.sql(
            f"select {', '.join([*keys, *ends])}, b.{quantity}_p50 / a.{quantity}_p50 as ratio"
            f" from before as a join after as b on {' and '.join(f'{key} = b.{key[2:]}' for key in keys)}"
            f" where {' and '.join(_chosen(project, table, where, 'before'))} and greatest({', '.join(moves)}) > {SMALL}"
            f" order by abs(b.{quantity}_p50 - a.{quantity}_p50) desc, {', '.join(keys)}"
        )
        return tuple(found.columns), found.fetchall()


def _chosen(project: Project, table: Table, where: Mapping[str, str], relation: str) -> list[str]:
    """Return the conditions that choose the rows `a` of a relation to compare."""
    conditions = ["true"]
    for key in table.grain:
        column = project.columns[key]
        if key in where:
            conditions.append(f"a.{identifier(key)}::varchar = {quoted(where[key])}")
        elif column.type == "DATE":
            conditions.append(f"a.{identifier(key)} = (select max({identifier(key)}) from {relation})")
        elif column.values:
            conditions.append(f"a.{identifier(key)}::varchar = {quoted(column.values[0])}")
    return conditions
