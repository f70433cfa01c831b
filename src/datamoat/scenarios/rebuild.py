"""Build a twin in which some assumptions are other numbers or some facts are left out, and show what changes.

The twin is a whole build of the tables that lead to one mart, in a folder that is thrown away. Kept models run again only if
what they read has changed, so that an assumption which acts after a fit costs seconds, and one the fit depends on costs a fit.
"""

import csv
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from datamoat.build.run import build_models, read_build
from datamoat.errors import UsageError
from datamoat.project.model import Project
from datamoat.project.read import read_project
from datamoat.scenarios.draws import number_of
from datamoat.settings import Settings
from datamoat.storage.lake import identifier, path_of, quoted

ASSUMPTIONS = "assumptions.csv"
DROPPED = "observation_rulings.csv"
Percentiles = tuple[float, float, float]


@dataclass(frozen=True)
class Change:
    """What the twin differs by.

    Attributes:
        numbers: By assumption name or id: its three percentiles, all equal for a fixed number.
        dropped: Facts that no estimate may read.
    """

    numbers: Mapping[str, Percentiles]
    dropped: Sequence[str] = ()


def read_number(text: str) -> tuple[str, Percentiles]:
    """Read `NAME=VALUE` or `NAME=LOW,MIDDLE,HIGH`.

    Raises:
        UsageError: It is neither.
    """
    name, _, values = text.partition("=")
    try:
        numbers = sorted(float(value) for value in values.split(","))
        low, middle, high = numbers * 3 if len(numbers) == 1 else numbers
    except ValueError as failure:
        raise UsageError(f"{text!r} sets nothing", "--set", "write NAME=VALUE or NAME=LOW,MIDDLE,HIGH.") from failure
    return name.strip(), (low, middle, high)


@contextmanager
def twin(settings: Settings, change: Change, target: str) -> Iterator[Path]:
    """Build the tables that lead to `target` with the change, and yield the lake they are in.

    Raises:
        UsageError: An assumption or fact is not known.
        ModelFailedError: There is no finished build to differ from.
    """
    as_of = read_build(settings.lake).as_of
    settings.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="whatif-", dir=settings.data) as folder:
        content, data = Path(folder) / "content", Path(folder) / "data"
        shutil.copytree(settings.content / "transforms", content / "transforms")
        shutil.copytree(settings.reference, content / "data" / "reference")
        _set_numbers(content / "data" / "reference" / ASSUMPTIONS, change.numbers)
        _drop_facts(content / "data" / "reference" / DROPPED, change.dropped)
        (data / "lake").mkdir(parents=True)
        for shared in ("lake/cache", "snapshots"):
            if (settings.data / shared).exists():
                (data / shared).symlink_to(settings.data / shared)
        project = leading_to(read_project(content), target)
        made = replace(settings, content=content, data=data)
        build_models(made, project, as_of)
        yield made.lake


def leading_to(project: Project, target: str) -> Project:
    """Return the models that one table depends on, in graph order, and nothing else."""
    wanted = {target}
    kept = []
    for model in reversed(project.models):
        if wanted & {table.id for table in model.tables}:
            kept.append(model)
            wanted |= set(model.reads)
    return replace(project, models=tuple(reversed(kept)), macros=(), checks=(), expectations=())


def _set_numbers(path: Path, numbers: Mapping[str, Percentiles]) -> None:
    """Write other percentiles into the table of assumptions."""
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        fields, rows = list(reader.fieldnames or ()), list(reader)
    known = {name: row for row in rows for name in (row["assumption_id"], row["name"])}
    for name, values in numbers.items():
        if name not in known:
            near = sorted(row["name"] for row in rows if name.split("_")[0] in row["name"])
            raise UsageError(f"no assumption is called {name!r}", str(path.name), f"did you mean one of {near[:8]}?")
        row = known[name]
        if row["is_read"] == "false":
            raise UsageError(
                f"no model reads {row['assumption_id']} {row['name']}, so that nothing would change",
                f"--set {name}",
                '`datamoat query "from meta.assumptions where is_read"` lists what an estimate rests on.',
            )
        for value in values:
            number_of(name, repr(value), row["distribution"])
        row |= dict(zip(("p05", "p50", "p95"), map(repr, values), strict=True))
        if len(set(values)) == 1:
            row["distribution"] = "fixed"
    _write(path, fields, rows)


def _drop_facts(path: Path, facts: Sequence[str]) -> None:
    """Rule facts out, in the table of rulings."""
    if not facts:
        return
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        fields, rows = list(reader.fieldnames or ()), [row for row in reader if row["fact_id"] not in facts]
    rows += [{"fact_id": fact, "ruling": "drop", "reason": "Left out to see what it is worth."} for fact in facts]
    _write(path, fields, rows)


def _write(path: Path, fields: list[str], rows: list[dict[str, str]]) -> None:
    """Write a table of strings."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def compare(
    settings: Settings,
    other: Path,
    target: str,
    keys: Sequence[str],
    quantity: str,
    where: str = "true",
    month: date | None = None,
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the rows of a mart whose quantiles of `quantity` differ between the lake and a twin, the median that moves most first.

    Args:
        settings: Of the build at hand.
        other: The twin's file of the same mart.
        target: The mart.
        keys: Its grain.
        quantity: The column without its `_p05`, `_p50`, `_p95`.
        where: A condition on the key columns.
        month: Which month; the last one if None.

    Raises:
        UsageError: The mart has no such quantity.
    """
    path = path_of(settings.lake, target)
    with duckdb.connect() as con:
        names = {row[0] for row in con.sql(f"describe from read_parquet({quoted(str(path))})").fetchall()}
        if f"{quantity}_p50" not in names:
            known = sorted(name.removesuffix("_p50") for name in names if name.endswith("_p50"))
            raise UsageError(f"{target} has no {quantity}", "--of", f"choose one of {known}.")
        on = " and ".join(f"a.{identifier(key)} = b.{identifier(key)}" for key in keys)
        ends = ", ".join(
            f"{side}.{quantity}_{end} AS {label}_{end}"
            for side, label in (("a", "before"), ("b", "after"))
            for end in ("p05", "p50", "p95")
        )
        chosen = "(select max(month) from before)" if month is None else f"date {quoted(month.isoformat())}"
        found = con.sql(
            f"with before AS (from read_parquet({quoted(str(path))}) where {where}),"
            f" after AS (from read_parquet({quoted(str(other))}) where {where})"
            f" select {', '.join(f'a.{identifier(key)}' for key in keys)}, {ends}, b.{quantity}_p50 / a.{quantity}_p50 AS ratio"
            f" from before AS a join after AS b on {on}"
            f" where a.month = {chosen} and greatest(abs(b.{quantity}_p50 / a.{quantity}_p50 - 1), abs(b.{quantity}_p95 / a.{quantity}_p95 - 1)) > 1e-6"
            f" order by abs(b.{quantity}_p50 - a.{quantity}_p50) desc, {', '.join(f'a.{identifier(key)}' for key in keys)}"
        )
        return [column[0] for column in found.description], found.fetchall()
