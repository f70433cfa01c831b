"""The rules of the repository, one test each: who may import whom, what a folder may hold, what must be complete."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from datamoat.project.model import Project
from datamoat.project.read import read_project
from datamoat.project.sources import read_sources
from datamoat.publish.audit import check_tables_exist
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published

STANDARD = set(sys.stdlib_module_names)
LIGHT = ("duckdb", "polars", "pandas", "pyarrow", "numpy", "scipy", "great_expectations")


@pytest.fixture(scope="module")
def project(checkout: Path) -> Project:
    return read_project(checkout)


def imports(path: Path) -> set[str]:
    """Return the modules a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def tracked(checkout: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=checkout, capture_output=True, text=True, check=True)
    return [checkout / line for line in listed.stdout.splitlines() if (checkout / line).is_file()]


def test_models_import_polars_numpy_the_science_and_nothing_else(checkout: Path) -> None:
    allowed = {"polars", "numpy", "duckdb", "moat"} | STANDARD
    unknown = {
        path.name: sorted(bad)
        for path in (checkout / "transforms").rglob("*.py")
        if (
            bad := {
                name
                for name in imports(path)
                if name.split(".")[0] not in allowed and name not in {"datamoat.parsing", "datamoat.errors"}
            }
        )
    }
    assert unknown == {}


def test_models_open_no_file_socket_or_process(checkout: Path) -> None:
    outside = {"socket", "subprocess", "urllib", "http", "os", "pathlib", "random", "time", "requests", "shutil"}
    guilty = {
        path.name: sorted(bad)
        for path in (checkout / "transforms" / "intermediate").rglob("*.py")
        if (bad := {name.split(".")[0] for name in imports(path)} & outside)
    }
    assert guilty == {}


def test_expectations_import_great_expectations_alone(checkout: Path) -> None:
    for path in (checkout / "expectations").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(path)} <= {"great_expectations"}, path


def test_only_dags_import_airflow(checkout: Path) -> None:
    for folder in ("src", "transforms", "expectations", "reports"):
        for path in (checkout / folder).rglob("*.py"):
            assert not any(name.split(".")[0] == "airflow" for name in imports(path)), path


def test_every_mart_has_a_file_of_expectations(project: Project) -> None:
    written = {path.stem for path in project.expectations if path.parent.name == "marts"}
    assert {table.name for table in project.marts} - written == set()


def test_every_source_folder_is_complete(checkout: Path) -> None:
    assert {source.id: source.missing for source in read_sources(checkout) if source.missing} == {}


def test_every_word_of_the_dictionary_is_a_column_of_some_table(project: Project, published: Settings) -> None:
    with open_published(published) as con:
        used = {name for (name,) in con.sql("select distinct column_name from meta.columns").fetchall()}
    assert set(project.columns) - used == set()


def test_checks_read_tables_that_exist(project: Project) -> None:
    check_tables_exist(project)


def test_marts_stay_in_the_sql_that_other_engines_know(project: Project) -> None:
    import sqlglot
    from sqlglot import exp

    for model in project.models:
        if model.layer != "marts":
            continue
        tree = sqlglot.parse_one(model.text, read="duckdb")
        banned = [exp.Pivot, exp.Log, exp.AnyValue, exp.ApproxQuantile, exp.Columns]
        found = [type(node).__name__ for kind in banned for node in tree.find_all(kind)]
        found += ["BY NAME" for node in tree.find_all(exp.Union) if node.args.get("by_name")]
        found += ["ASOF" for node in tree.find_all(exp.Join) if (node.args.get("method") or "").upper() == "ASOF"]
        assert found == [], model.path
        assert sqlglot.transpile(model.text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE), model.path


def test_nothing_tracked_names_a_machine_a_registry_or_a_secret(checkout: Path) -> None:
    hosts = "|".join(["pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.", r"deb\.deb" + "ian", "/ro" + "ot/", "/wo" + "rk/"])
    for path in tracked(checkout):
        if path.suffix in {".png", ".parquet", ".duckdb", ".zip", ".xlsx"}:
            continue
        assert not re.search(hosts, path.read_text(encoding="utf-8", errors="replace")), path


def test_no_tracked_file_is_an_upstream_capture(checkout: Path, captures: Path) -> None:
    import hashlib

    ours = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in tracked(checkout)}
    theirs = {hashlib.sha256(path.read_bytes()).hexdigest() for path in captures.rglob("*") if path.is_file()}
    assert {path for digest, path in ours.items() if digest in theirs} == set()


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = f"import sys, datamoat.cli.app; print([m for m in {LIGHT!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_reading_sources_for_a_schedule_starts_without_heavy_libraries() -> None:
    code = f"import sys, datamoat.project.sources, datamoat.project.read; print([m for m in {LIGHT!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
