"""A scenario build: the tables that lead to one mart, built again with changed inputs, in a folder that is thrown away.

Cached results run again only if what they read has changed, so that an input which acts after a fit costs seconds, and one
that the fit depends on costs a fit.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from datamoat.build.inputs import LEFT_OUT_AFTER, fingerprint
from datamoat.build.record import check_lake, read_build
from datamoat.build.run import build_models
from datamoat.errors import ModelFailedError, UsageError
from datamoat.project.model import Project, Table
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, parquet, path_of, quoted

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
        ModelFailedError: There is no finished build to differ from, or it was made from other inputs or code than those here.
    """
    current = read_build(settings.lake)
    check_lake(settings.lake, current)
    as_of = current.as_of
    if current.made_from != fingerprint(settings, as_of if LEFT_OUT_AFTER in current.inputs else None):
        raise ModelFailedError(
            "the build in the lake was made from other facts, responses, decisions, models or code than those here: effects would mix",
            str(settings.lake),
            "run `datamoat build`.",
        )
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
        made = replace(settings, content=content, data=data, store="")
        if build_models(made, project).as_of != as_of:  # with a date, a build leaves out what became public later
            build_models(made, project, as_of)
        yield made.lake


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


def compare_quantiles(
    settings: Settings, other: Path, target: str, quantity: str, where: Mapping[str, str]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the rows of a mart whose quantiles differ between the lake and a scenario build, the largest move first.

    Args:
        settings: Of the build to differ from.
        other: The lake of the scenario build.
        target: The mart.
        quantity: The column without its `_p05`, `_p50`, `_p95`.
        where: Values of key columns. A date left out is the newest; a column with a list of allowed values takes the first.

    Returns:
        The key columns, the quantiles before and after, and the ratio of the medians.

    Raises:
        UsageError: The mart has no such quantity or key column.
    """
    project = read_project(settings.content)
    table = project.tables[target]
    unknown = sorted(set(where) - set(table.grain))
    if unknown:
        raise UsageError(f"{target} has no key column {unknown[0]}", "--where", f"it has {', '.join(table.grain)}.")
    with duckdb.connect() as con:
        for name, lake in (("before", settings.lake), ("after", other)):
            con.execute(f"create view {name} as from {parquet(path_of(lake, target))}")
        names = {row[0] for row in con.sql("describe before").fetchall()}
        if f"{quantity}_p50" not in names:
            known = sorted(name.removesuffix("_p50") for name in names if name.endswith("_p50"))
            raise UsageError(f"{target} has no {quantity}", "--of", f"choose one of {known}.")
        keys = [f"a.{identifier(key)}" for key in table.grain]
        ends = [f"{s}.{quantity}_{end} as {side}_{end}" for s, side in (("a", "before"), ("b", "after")) for end in ENDS]
        moves = [f"abs(b.{quantity}_{end} / a.{quantity}_{end} - 1)" for end in ENDS]
        found = con.sql(
            f"select {', '.join([*keys, *ends])}, b.{quantity}_p50 / a.{quantity}_p50 as ratio"
            f" from before as a join after as b on {' and '.join(f'{key} = b.{key[2:]}' for key in keys)}"
            f" where {' and '.join(_chosen(project, table, where))} and greatest({', '.join(moves)}) > {SMALL}"
            f" order by abs(b.{quantity}_p50 - a.{quantity}_p50) desc, {', '.join(keys)}"
        )
        return tuple(found.columns), found.fetchall()


def _chosen(project: Project, table: Table, where: Mapping[str, str]) -> list[str]:
    """Return the conditions that choose the rows to compare."""
    conditions = ["true"]
    for key in table.grain:
        column = project.columns[key]
        if key in where:
            conditions.append(f"a.{identifier(key)}::varchar = {quoted(where[key])}")
        elif column.type == "DATE":
            conditions.append(f"a.{identifier(key)} = (select max({identifier(key)}) from before)")
        elif column.values:
            conditions.append(f"a.{identifier(key)}::varchar = {quoted(column.values[0])}")
    return conditions
