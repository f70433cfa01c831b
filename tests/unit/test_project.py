"""The content tree is read into one graph, and what breaks a rule is reported with its file."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml

from datamoat.build.bind import bind_models
from datamoat.build.run import build_models
from datamoat.errors import ContentError, ModelFailedError
from datamoat.project.read import content_hash, read_project
from datamoat.project.reference import read_reference
from datamoat.project.sources import read_source, read_sources
from datamoat.publish.audit import check_tables_exist
from datamoat.settings import Settings

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


@pytest.mark.parametrize("name", [MART, POLARS, "transforms/columns.yml", "data/reference/facts.csv"])
@pytest.mark.parametrize(
    ("body", "what"), [(b"\xff\xfea\x00", "is stored as UTF-16"), (b"caf\xe9", "is not UTF-8 text from byte 3")]
)
def test_a_file_in_another_encoding_is_named_with_the_encoding(tree: Path, name: str, body: bytes, what: str) -> None:
    (tree / name).write_bytes(body)
    with pytest.raises(ContentError, match=f"cannot read {Path(name).name}: it {what}"):
        build_models(Settings(content=tree, data=tree / "data"), read_project(tree))


@pytest.mark.parametrize(
    ("name", "old", "new", "reported"),
    [
        (MART, "intermediate.int_lab__uploads", "raw.reference__facts", "marts.lab_volume reads raw.reference__facts"),
        (MART, "intermediate.int_lab__uploads", "marts.source_freshness", "marts.lab_volume reads marts.source_freshness"),
        (MART, "intermediate.int_lab__uploads", "intermediate.int_lab__upload", "which no model builds"),
        (MART, "intermediate.int_lab__uploads", "int_lab__uploads", "without its schema"),
        (MART, "grain: [lab_id]", "grain: lab_id", "grain is not a list"),
        (MART, "grain: [lab_id]\n", "", "no grain"),
        (
            MART,
            "grain: [lab_id]\n",
            "grain: [lab_id]\ncaveats:\n  - Few labs: two.\n",
            "caveats has {'Few labs': 'two.'}, which is no text",
        ),
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


def test_a_column_that_a_python_model_does_not_have_is_found_once_it_was_built(tree: Path, edit: Edit) -> None:
    settings = Settings(content=tree, data=tree / "data", threads=1, memory_limit="1GB")

    def bound() -> int:
        facts = read_reference(settings.reference)
        return bind_models(settings, read_project(tree), read_sources(tree), facts, date(2026, 11, 27))

    unbuilt = bound()
    build_models(settings, read_project(tree))
    assert bound() == unbuilt + 1
    edit("transforms/marts/volume/lab_volume.sql", "    uploads\n", "    upload as uploads\n")
    with pytest.raises(ModelFailedError, match='"upload" not found'):
        bound()


def test_the_as_of_day_is_a_date_when_models_are_bound(tree: Path, edit: Edit) -> None:
    settings = Settings(content=tree, data=tree / "data", threads=1, memory_limit="1GB")
    edit(
        "transforms/columns.yml",
        "lab_id: {type: VARCHAR",
        "next_on: {type: DATE, description: Next day.}\nlab_id: {type: VARCHAR",
    )
    staging = "transforms/staging/reference/stg_reference__facts.sql"
    edit(staging, "select platform_id", "select getvariable('as_of') + 1 as next_on, platform_id")
    assert bind_models(settings, read_project(tree), read_sources(tree), read_reference(settings.reference), date(2026, 11, 27))


@pytest.mark.parametrize("key", ["total", "grain", "required"])
def test_a_column_of_a_streamed_source_that_is_not_declared_is_refused(checkout: Path, tmp_path: Path, key: str) -> None:
    folder = Path(shutil.copytree(checkout / "transforms" / "staging" / "dsa_statements", tmp_path / "dsa_statements"))
    written = yaml.safe_load((folder / "source.yml").read_text())
    assert read_source(folder).part is not None
    written["part"][key] = "unheard_of" if key == "total" else ["unheard_of"]
    (folder / "source.yml").write_text(yaml.safe_dump(written))
    with pytest.raises(ContentError, match=r"unheard_of.* not among its columns"):
        read_source(folder)


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


@pytest.mark.parametrize("name", [MART, STAGING, POLARS, "transforms/columns.yml", "transforms/build.yml"])
def test_the_hash_of_the_content_is_of_every_file_that_can_change_a_number(tree: Path, name: str) -> None:
    before = content_hash(read_project(tree))
    assert content_hash(read_project(tree)) == before
    with (tree / name).open("a") as handle:
        handle.write("# more\n" if not name.endswith(".sql") else "-- more\n")
    assert content_hash(read_project(tree)) != before
