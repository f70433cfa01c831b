"""The rows that `datamoat whatif` reports as changed are those that change when the table of assumptions is edited and all is built."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from datamoat.build.run import build_models
from datamoat.errors import UsageError
from datamoat.project.read import read_project
from datamoat.scenarios.whatif import Change, whatif
from datamoat.settings import Settings
from datamoat.storage.lake import parquet, path_of

pytestmark = pytest.mark.slow


def built_again(published: Settings, folder: Path, assumption: str, value: str) -> Path:
    """Edit the table as a person would, build every table, and return the lake."""
    shutil.copytree(published.content / "transforms", folder / "transforms")
    shutil.copytree(published.reference, folder / "data" / "reference")
    path = folder / "data" / "reference" / "assumptions.csv"
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        if row["assumption_id"] == assumption:
            row |= {"distribution": "fixed", "p05": value, "p50": value, "p95": value}
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    settings = Settings(content=folder, data=folder / "data", threads=2)
    settings.lake.mkdir(parents=True)
    (settings.lake / "cache").symlink_to(published.lake / "cache")
    build_models(settings, read_project(folder))
    return settings.lake


def largest_difference(before: Path, after: Path, mart: str) -> float:
    """The largest relative difference of any number of a mart, over rows of the same place in the order of the grain."""
    with duckdb.connect() as con:
        a, b = (con.sql(f"from {parquet(path_of(lake, mart))}").pl() for lake in (before, after))
    if a.height != b.height:
        return float("inf")
    numbers = [name for name, kind in a.schema.items() if kind.is_float()]
    return max((float(((b[n] - a[n]).abs() / a[n].abs()).filter(a[n].abs() > 0).max() or 0.0) for n in numbers), default=0.0)  # type: ignore[arg-type]


def differing(before: Path, after: Path) -> list[tuple[str, int, int]]:
    """Name, rows that differ and rows of every mart that two lakes have differently, by comparing all their rows."""
    found = []
    with duckdb.connect() as con:
        for path in sorted((before / "marts").rglob("*.parquet")):
            name = f"marts.{path.relative_to(before / 'marts').parts[0].removesuffix('.parquet')}"
            a, b = (f"(from {parquet(path_of(lake, name))})" for lake in (before, after))
            n_new, n_gone, n_rows = con.sql(
                f"select (select count(*) from ({b} except all {a})), (select count(*) from ({a} except all {b})), (select count(*) from {b})"
            ).fetchall()[0]
            if n_new or n_gone:
                found.append((name, max(n_new, n_gone), n_rows))
    return found


@pytest.mark.parametrize(("assumption", "value"), [("A060", "70"), ("A301", "900")])
def test_whatif_names_the_rows_that_a_build_with_the_edited_table_changes(
    published: Settings, tmp_path: Path, assumption: str, value: str, record_property: Callable[[str, object], None]
) -> None:
    named = {table.name: table.rows for table in whatif(published, Change({assumption: value}))}
    lake = built_again(published, tmp_path, assumption, value)
    found = differing(published.lake, lake)
    assert named["volumes"] == []
    assert found
    assert named["marts"] == found
    largest = {mart: round(largest_difference(published.lake, lake, mart), 4) for mart, _, _ in found}
    assert max(largest.values()) > 0
    record_property("measured", json.dumps({"changed": found, "largest relative difference": largest}))


def test_whatif_refuses_an_assumption_that_no_model_reads(published: Settings) -> None:
    with pytest.raises(UsageError, match="no model reads A030"):
        list(whatif(published, Change({"A030": "5"})))
