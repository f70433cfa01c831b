"""The content tree is read into one graph, and what breaks a rule is reported with its file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from datamoat.errors import ContentError
from datamoat.project.read import read_project
from datamoat.publish.audit import check_tables_exist

Edit = Callable[[str, str, str], Path]
MART = "transforms/marts/volume/lab_volume.sql"
STAGING = "transforms/staging/reference/stg_reference__facts.sql"
POLARS = "transforms/intermediate/lab/int_lab__uploads.py"


def test_models_come_after_what_they_read(tree: Path) -> None:
    project = read_project(tree)
    names = [model.name for model in project.models]
    assert names.index("stg_reference__facts") < names.index("int_lab__uploads") < names.index("lab_volume")
    assert project.tables["marts.lab_volume"].grain == ("lab_id",)
    assert project.tables["marts.lab_volume"].min_rows == 1
    assert next(m for m in project.models if m.name == "int_lab__uploads").reads == ("staging.stg_reference__facts",)


@pytest.mark.parametrize(
    ("name", "old", "new", "reported"),
    [
        (MART, "intermediate.int_lab__uploads", "raw.reference__facts", "marts.lab_volume reads raw.reference__facts"),
        (MART, "intermediate.int_lab__uploads", "marts.source_freshness", "marts.lab_volume reads marts.source_freshness"),
        (MART, "intermediate.int_lab__uploads", "intermediate.int_lab__upload", "which no model builds"),
        (MART, "intermediate.int_lab__uploads", "int_lab__uploads", "without its schema"),
        (MART, "grain: [lab_id]", "grain: lab_id", "grain is not a list"),
        (MART, "grain: [lab_id]\n", "", "no grain"),
        (MART, "rows: {min: 1}", "row: {min: 1}", "unknown keys"),
        (MART, "/*---", "/*", "no header"),
        (MART, "description: Uploads of each lab.", "description: [", "no YAML"),
        (MART, "order by lab_id", "order by now()", "may not use now"),
        (MART, "order by lab_id", "order by current_date", "may not use current_date"),
        (MART, "order by lab_id", "order by random()", "may not use random"),
        (MART, "intermediate.int_lab__uploads", "read_parquet('x')", "may not use read_parquet"),
        (MART, "select\n", "select from where\n", "this is not one SELECT"),
        (MART, "order by lab_id\n", "order by lab_id;\n", "without a semicolon"),
        (STAGING, "raw.reference__facts", "raw.other__facts", "another source's table"),
        (POLARS, 'GRAIN = ("lab_id",)', "", "GRAIN"),
        (POLARS, "stg_reference__facts: pl.LazyFrame", "facts: pl.LazyFrame", "model() takes ['facts']"),
        (POLARS, '"""Uploads by lab."""', "import (", "no Python"),
        ("transforms/columns.yml", "description: A source.", "meaning: A source.", "needs type and description"),
        ("expectations/checks/no_lab_is_nameless.sql", "severity: critical", "severity: bad", "severity 'bad' is unknown"),
    ],
)
def test_a_broken_rule_is_reported_with_its_file(tree: Path, edit: Edit, name: str, old: str, new: str, reported: str) -> None:
    path = edit(name, old, new)
    with pytest.raises(ContentError) as failure:
        read_project(tree)
    assert reported in failure.value.what
    assert path.name in failure.value.where
    assert failure.value.fix


def test_two_models_may_not_read_each_other(tree: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        text = f"/*---\ndescription: A loop.\ngrain: [lab_id]\n---*/\nselect lab_id from intermediate.int_lab__{other}"
        (tree / "transforms" / "intermediate" / "lab" / f"int_lab__{one}.sql").write_text(text)
    with pytest.raises(ContentError, match="in a circle"):
        read_project(tree)


def test_a_file_outside_the_layers_is_refused(tree: Path) -> None:
    (tree / "transforms" / "marts" / "stray.sql").write_text("select 1")
    with pytest.raises(ContentError, match=r"stray\.sql is in no layer"):
        read_project(tree)


def test_expectations_for_no_table_are_refused(tree: Path) -> None:
    (tree / "expectations" / "marts" / "lab_volumes.py").write_text("EXPECTATIONS = []")
    with pytest.raises(ContentError, match=r"marts\.lab_volumes, which no model builds"):
        read_project(tree)


def test_a_check_of_no_table_is_refused(tree: Path, edit: Edit) -> None:
    edit("expectations/checks/no_lab_is_nameless.sql", "marts.lab_volume", "marts.lab_volumes")
    with pytest.raises(ContentError, match=r"reads marts\.lab_volumes"):
        check_tables_exist(read_project(tree))
