"""What if: change inputs, and compare what follows with what is published.

The content tree declares what may change in two modules of `reports/whatif/`, loaded by path:

* `volumes.py` (needed): `TARGET` (the mart compared), `QUANTITY`, `acts_after_fit(con, numbers)`, `prepare(con)`,
  `change_draws(con, numbers)`, `quantiles(con, quantity)` (key columns, then p05, p50 and p95), `MACROS`, `DRAWS`, `DRAWS_TABLE`, `N_DRAWS`, and
  `change_inputs(reference, numbers, facts, published)`;
* `verdicts.py` (optional): `prepare(con)` and `compare_verdicts(con, reference, draws)`, which returns named tables.

What can be set in the published draws is computed again from them at once; the rest takes a scenario build.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb

from datamoat.errors import UsageError
from datamoat.project.python_models import load
from datamoat.project.sql import read_snippet
from datamoat.scenarios.rebuild import changed_marts, check_choice, compare_quantiles, scenario_build
from datamoat.settings import Settings
from datamoat.storage.lake import parquet, path_of, quoted
from datamoat.storage.warehouse import retained_file

FOLDER = Path("reports") / "whatif"
SMALL = 1e-9  # relative change below which a quantile has not changed
ENDS = ("p05", "p50", "p95")


@dataclass(frozen=True)
class Table:
    """One result: a name for programs, a title for people, columns and rows."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Change:
    """What differs from the published build.

    Attributes:
        numbers: By the name of an assumption: its text, a number or three.
        facts: Ids of facts that are left out.
        where: Values of key columns of the rows to compare; a column left out takes its default.
        needs_build: Whether a scenario build is wanted even where the draws would do.
    """

    numbers: Mapping[str, str]
    facts: Sequence[str] = ()
    where: Mapping[str, str] | None = None
    needs_build: bool = False


def whatif(settings: Settings, change: Change, quantity: str | None = None) -> Iterator[Table]:
    """Yield what follows from a change: quantiles that move, the largest move first, then the verdicts.

    Args:
        settings: Where the published file and the content are.
        change: What to change.
        quantity: Which quantity to compare; the content's own choice if None.

    Where no compared quantity changes, every table is built and those that change are listed.

    Raises:
        UsageError: The content declares no what-if, nothing is changed, or something cannot be changed or followed.
        ModelFailedError: A scenario build is needed and the build in the lake is not current, or not the published one.
    """
    volumes, verdicts = _declared(settings.content)
    quantity = quantity or str(volumes.QUANTITY)
    if not change.numbers and not change.facts:
        raise UsageError("nothing is changed", "datamoat whatif", "give --set NAME=VALUE or --drop FACT.")
    with _beside_published(settings, verdicts) as con:
        if not (change.facts or change.where or change.needs_build) and volumes.acts_after_fit(con, change.numbers):
            yield _from_draws(settings, con, volumes, change.numbers, quantity)
            if verdicts is not None:
                yield from _verdicts(settings, con, verdicts, volumes.DRAWS)
            return
        check_choice(settings, con, f"published.{volumes.TARGET}", volumes.TARGET, quantity, change.where or {})
        edit = partial(volumes.change_inputs, numbers=change.numbers, facts=change.facts, published=con)
        with scenario_build(settings, edit, volumes.TARGET) as lake:
            columns, rows = compare_quantiles(settings, lake, volumes.TARGET, quantity, change.where or {})
            yield Table("volumes", f"{_with_unit(con, volumes.TARGET, quantity)}, from a scenario build", columns, rows)
            if not rows:
                yield from _of_every_mart(settings, edit)
                return
            if verdicts is not None:
                yield from _verdicts(settings, con, verdicts, f"from {parquet(path_of(lake, volumes.DRAWS_TABLE))}")


def _of_every_mart(settings: Settings, edit: Callable[[Path], list[str]]) -> Iterator[Table]:
    """Yield the marts that change where the compared quantities do not: the input leads elsewhere."""
    with scenario_build(settings, edit, None) as lake:
        rows: list[tuple[Any, ...]] = list(changed_marts(settings, lake))
    yield Table("marts", "rows that change in other tables, from a scenario build of all", ("table", "n_changed", "n_rows"), rows)


def _declared(content: Path) -> tuple[ModuleType, ModuleType | None]:
    """Return the modules of the content that declare what may change."""
    folder = content / FOLDER
    if not (folder / "volumes.py").is_file():
        raise UsageError("this content tree declares no what-if", str(folder), "write volumes.py there.")
    return load(folder / "volumes.py"), load(folder / "verdicts.py") if (folder / "verdicts.py").is_file() else None


@contextmanager
def _beside_published(settings: Settings, verdicts: ModuleType | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open memory to work in, with the published file attached as `published` and an empty schema `marts`."""
    published = retained_file(settings)
    with duckdb.connect() as con:
        con.execute(f"attach {quoted(str(published))} as published (read_only)")
        con.execute("create schema marts")
        if verdicts is not None:
            verdicts.prepare(con)
        yield con


def _from_draws(
    settings: Settings, con: duckdb.DuckDBPyConnection, volumes: ModuleType, numbers: Mapping[str, str], quantity: str
) -> Table:
    """Compute the quantiles from the published draws before and after the change."""
    volumes.prepare(con)
    for name in volumes.MACROS:
        con.execute(read_snippet(settings.content / "transforms" / "macros" / f"{name}.sql", {"description"}).sql)
    relation = volumes.quantiles(con, quantity)
    n_keys, before = len(relation.columns) - len(ENDS), relation.fetchall()
    keys = tuple(relation.columns[:n_keys])
    volumes.change_draws(con, numbers)
    after = {row[:n_keys]: row[n_keys:] for row in volumes.quantiles(con, quantity).fetchall()}
    n_draws = con.sql(volumes.N_DRAWS).fetchall()[0][0]
    changed = []
    for row in before:
        key, old = row[:n_keys], row[n_keys:]
        new = after.get(key)
        if new and old[1] and any(abs(a - b) > SMALL * b for a, b in zip(new, old, strict=True)):
            changed.append((abs(new[1] - old[1]), key, (*key, *old, *new, new[1] / old[1])))
    changed.sort(key=lambda move: (-move[0], move[1]))
    columns = (*keys, *(f"{side}_{end}" for side in ("before", "after") for end in ENDS), "ratio")
    title = f"{_with_unit(con, volumes.TARGET, quantity)}, from {n_draws:,} published draws"
    return Table("volumes", title, columns, [row for _, _, row in changed])


def _with_unit(con: duckdb.DuckDBPyConnection, target: str, quantity: str) -> str:
    """Return a quantity with its unit, as the published dictionary of columns has it."""
    units = con.execute(
        "select unit from published.meta.columns where table_name = ? and column_name = ? and unit is not null",
        [target.rpartition(".")[2], f"{quantity}_p50"],
    ).fetchall()
    return f"{quantity} in {units[0][0]}" if units else quantity


def _verdicts(settings: Settings, con: duckdb.DuckDBPyConnection, verdicts: ModuleType, draws: str) -> Iterator[Table]:
    """Yield the tables of verdicts that the content compares."""
    for name, title, columns, rows in verdicts.compare_verdicts(con, settings.reference, draws):
        yield Table(name, title, tuple(columns), rows)
