"""A build is a function of its inputs, and what goes wrong in it is reported with the file to open."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from datamoat.build import cache, inputs, polars_models
from datamoat.build import run as build
from datamoat.build.polars_models import _job_line, _job_of, run_polars
from datamoat.build.record import BUILD_FILE, Build, read_build
from datamoat.build.run import build_models
from datamoat.errors import ContentError, DatamoatError, ModelFailedError, PublishRefusedError
from datamoat.project.fingerprint import NUMERIC_STACK, versions
from datamoat.project.model import Model
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.lake import path_of

Edit = Callable[[str, str, str], Path]
MART = "transforms/marts/volume/lab_volume.sql"
POLARS = "transforms/intermediate/lab/int_lab__uploads.py"
FACTS = "data/reference/facts.csv"


def built(settings: Settings, as_of: date | None = None) -> Build:
    return build_models(settings, read_project(settings.content), as_of)


def hashes(build: Build) -> dict[str, str]:
    return {name: measured["content_hash"] for name, measured in build.tables.items() if "content_hash" in measured}


def test_the_same_inputs_give_the_same_build_whatever_the_threads(settings: Settings) -> None:
    first = built(settings)
    shutil.rmtree(settings.lake)
    second = built(replace(settings, threads=1))
    assert (first.build_id, first.inputs, hashes(first)) == (second.build_id, second.inputs, hashes(second))
    assert first.as_of == date(2026, 5, 1)


@pytest.fixture
def two_expensive(tree: Path) -> tuple[str, str]:
    """Two cached models that read the same table: the second waits for nothing that the first makes."""
    text = (tree / POLARS).read_text().replace("GRAIN", "CACHE = True\nGRAIN")
    for name in ("int_lab__uploads", "int_lab__users"):
        (tree / POLARS).with_name(f"{name}.py").write_text(text)
    return "int_lab__uploads", "int_lab__users"


def test_the_same_bytes_come_from_one_process_and_from_several(
    settings: Settings, two_expensive: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    computed_here: list[str] = []

    def noted(lake: Path, model: Model, taken: dict[str, Any], paths: dict[str, Path]) -> None:
        computed_here.append(model.name)
        run_polars(lake, model, taken, paths)

    monkeypatch.setattr(build, "run_polars", noted)
    with_two = built(replace(settings, threads=2))
    assert computed_here == []
    shutil.rmtree(settings.lake)
    with_one = built(replace(settings, threads=1))
    assert computed_here == [*two_expensive]
    assert {name: table["sha256"] for name, table in with_two.tables.items()} == {
        name: table["sha256"] for name, table in with_one.tables.items()
    }


def test_a_worker_gets_every_model_and_constant_as_they_are(checkout: Path) -> None:
    models = [model for model in read_project(checkout).models if not model.is_sql]
    taken = {"settings": {"seed": 1, "from": date(2020, 1, 1), "small": 1e-6, "list": [1, 2]}, "as_of": date(2026, 10, 8)}
    for model in models:
        job = (Path("a lake"), model, taken, {"one": Path("/x y/ü")})
        assert _job_of(_job_line(*job)) == job
    assert len(models) > 10


@pytest.mark.usefixtures("two_expensive")
def test_a_model_that_fails_in_a_worker_is_reported_in_its_turn(settings: Settings, edit: Edit) -> None:
    edit(POLARS.replace("uploads", "users"), "return stg", "raise ValueError('no users')\n    return stg")
    with pytest.raises(ModelFailedError, match=r"int_lab__users did not run: ValueError: no users"):
        built(replace(settings, threads=2))


def test_damaged_cached_results_are_named_in_order_and_what_is_no_result_is_not(tmp_path: Path) -> None:
    for name in "cafbed":  # no order in which a file system lists them
        folder = tmp_path / "cache" / name / "key"
        folder.mkdir(parents=True)
        (folder / cache.HASHES).write_text("{")
        (tmp_path / "cache" / f"{name}.json").write_text("{")
    (tmp_path / "cache" / "a" / "half").mkdir()
    (tmp_path / "cache" / "a" / "file").write_text("no folder")
    named = [tmp_path / "cache" / name / "key" / cache.HASHES for name in "abcdef"]
    records = [tmp_path / "cache" / f"{name}.json" for name in "abcdef"]
    problems = cache.damaged_results(tmp_path)
    assert problems == [
        *(f"{path} is damaged" for path in named),
        f"{tmp_path / 'cache' / 'a' / 'half' / cache.HASHES} was deleted, or never written",
        *(f"{path} is damaged, or of a later version" for path in records),
    ]


def test_rows_of_a_polars_model_are_stored_in_the_order_of_its_whole_grain(settings: Settings, edit: Edit) -> None:
    edit(POLARS, '("lab_id",)', '("lab_id", "uploads")')
    edit(POLARS, "return stg", 'return pl.LazyFrame({"lab_id": ["b", "a"], "uploads": [1.0, 2.0]})  # stg')
    edit(MART, "grain: [lab_id]", "grain: [lab_id, uploads]")
    built(settings)
    rows = pl.read_parquet(path_of(settings.lake, "intermediate.int_lab__uploads")).rows()
    assert rows == [("a", 2.0), ("b", 1.0)]


@pytest.mark.usefixtures("two_expensive")
def test_a_worker_that_dies_leaves_its_model_to_the_build(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = hashes(built(replace(settings, threads=1)))
    shutil.rmtree(settings.lake)
    dying = partial(subprocess.Popen, [sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    monkeypatch.setattr(polars_models, "_worker", dying)
    assert hashes(built(replace(settings, threads=2))) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a process with its parent")
def test_a_worker_ends_with_a_build_that_is_killed_although_its_input_stays_open() -> None:
    code = "import subprocess, sys\np = subprocess.Popen([sys.executable, '-m', 'datamoat.build.polars_models'])\nprint(p.pid, flush=True)\np.wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as build:
        assert build.stdin is not None
        assert build.stdout is not None
        worker = Path("/proc") / build.stdout.readline().strip() / "stat"
        build.stdin.write("no job\n")
        build.stdin.flush()
        assert build.stdout.readline() == "failed\n"  # it has begun
        build.kill()
        ended = time.monotonic() + 20
        while worker.exists() and worker.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < ended
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ("iter([stg.head(1), stg.tail(1)])", None),
        ("iter([stg.tail(1), stg.head(1)])", "do not follow each other in the order of its grain"),
        ("iter([stg.head(1), stg.tail(1).drop('lab_id')])", "has no column 'lab_id'"),
    ],
)
def test_a_model_may_return_frames_that_follow_each_other(
    settings: Settings, edit: Edit, frames: str, problem: str | None
) -> None:
    expected = hashes(built(settings))
    model = 'stg_reference__facts.select(pl.col("platform_id").alias("lab_id"), "uploads")'
    edit(POLARS, f"return {model}", f"stg = {model}.sort('lab_id').collect()\n    return {frames}")
    if problem is None:
        assert hashes(built(settings)) == expected
        assert pq.read_metadata(path_of(settings.lake, "intermediate.int_lab__uploads")).num_row_groups == 2
    else:
        with pytest.raises(ModelFailedError, match=problem):
            built(settings)


def test_a_changed_fact_changes_the_build_and_the_mart(settings: Settings, edit: Edit) -> None:
    first = built(settings)
    edit(FACTS, "7.0", "8.0")
    second = built(settings)
    assert first.build_id != second.build_id
    assert hashes(first)["marts.lab_volume"] != hashes(second)["marts.lab_volume"]
    assert hashes(first)["marts.source_freshness"] == hashes(second)["marts.source_freshness"]


def test_the_order_of_rows_does_not_matter(settings: Settings, tree: Path) -> None:
    first = built(settings)
    lines = (tree / FACTS).read_text().splitlines()
    (tree / FACTS).write_text("\n".join([lines[0], lines[2], lines[1]]) + "\n")
    assert hashes(built(settings)) == hashes(first)


def test_as_of_leaves_out_what_became_public_later(settings: Settings) -> None:
    build = built(settings, date(2026, 4, 30))
    assert build.as_of == date(2026, 4, 30)
    assert pl.read_parquet(path_of(settings.lake, "marts.lab_volume"))["lab_id"].to_list() == ["douyin"]


@pytest.mark.parametrize(
    ("name", "old", "new", "kind", "reported"),
    [
        ("transforms/columns.yml", "uploads:", "upload:", ModelFailedError, "column 'uploads'"),
        (
            "transforms/columns.yml",
            "uploads: {type: DOUBLE",
            "uploads: {type: BIGINT",
            ModelFailedError,
            "dictionary states BIGINT",
        ),
        (MART, "grain: [lab_id]", "grain: [lab]", ModelFailedError, "names 'lab'"),
        (MART, "    uploads\n", "    uploads / nothing\n", ModelFailedError, "did not run"),
        (POLARS, '.alias("lab_id")', '.alias("lab")', ModelFailedError, "no column 'lab_id'"),
        (POLARS, 'pl.col("platform_id")', 'pl.col("nothing")', ModelFailedError, "did not run"),
        (POLARS, "return stg_reference__facts", "return {}[0]  #", ModelFailedError, "KeyError"),
        ("transforms/build.yml", "known: {reference__facts: stated_on}", "", ContentError, "no as-of date"),
    ],
)
def test_a_model_that_breaks_its_promise_stops_the_build(
    settings: Settings, edit: Edit, name: str, old: str, new: str, kind: type[DatamoatError], reported: str
) -> None:
    edit(name, old, new)
    with pytest.raises(kind) as failure:
        built(settings)
    assert reported in str(failure.value)
    assert failure.value.where
    assert failure.value.fix
    with pytest.raises(ModelFailedError, match="no finished build"):
        read_build(settings.lake)


def test_a_cached_model_runs_again_only_when_its_inputs_or_code_change(settings: Settings, edit: Edit, tmp_path: Path) -> None:
    count = tmp_path / "runs"
    edit(POLARS, 'GRAIN = ("lab_id",)', 'GRAIN = ("lab_id",)\nCACHE = True')
    edit(
        POLARS,
        '    """Sum them."""\n',
        f'    """Sum them."""\n    with open({str(count)!r}, "a") as log:\n        log.write("x")\n',
    )
    built(settings)
    built(settings)
    assert count.read_text() == "x"
    edit(FACTS, "7.0", "8.0")
    built(settings)
    assert count.read_text() == "xx"
    edit(POLARS, "Sum them.", "Sum them all.")
    built(settings)
    assert count.read_text() == "xx", "a docstring is no code"
    edit(POLARS, 'log.write("x")', 'log.write("y")')
    build = built(settings)
    assert count.read_text() == "xxy"
    assert build.tables["intermediate.int_lab__uploads"]["n_rows"] == 2


def test_a_cached_select_is_taken_from_the_cache(settings: Settings, edit: Edit) -> None:
    edit(MART, "rows: {min: 1}", "rows: {min: 1}\ncache: true")
    first = built(settings)
    (kept,) = (settings.lake / "cache" / "lab_volume").glob("*/lab_volume.parquet")
    stamp = kept.stat().st_mtime_ns
    assert hashes(built(settings)) == hashes(first)
    assert kept.stat().st_mtime_ns == stamp
    assert list(settings.lake.rglob("*.part")) == [], "a result taken from the cache leaves no unfinished file"
    edit(FACTS, "7.0", "8.0")
    assert hashes(built(settings)) != hashes(first)
    assert len(list((settings.lake / "cache" / "lab_volume").iterdir())) == 2
    (kept.parent / "hashes.json").unlink()
    edit(FACTS, "8.0", "7.0")
    assert hashes(built(settings)) == hashes(first)


def test_one_file_may_yield_several_tables(settings: Settings, tree: Path) -> None:
    (tree / "transforms/intermediate/lab/int_lab__pair.py").write_text(
        '"""Two at once."""\n\nimport polars as pl\n\n'
        'TABLES = {"int_lab__one": ("lab_id",), "int_lab__two": ("lab_id",)}\n\n\n'
        "def model(int_lab__uploads: pl.LazyFrame) -> dict[str, pl.LazyFrame]:\n"
        '    """Give the same twice."""\n'
        '    return {"int_lab__one": int_lab__uploads, "int_lab__two": int_lab__uploads}\n'
    )
    build = built(settings)
    assert {"intermediate.int_lab__one", "intermediate.int_lab__two"} <= set(build.tables)


def test_a_build_that_does_not_finish_leaves_no_build(settings: Settings, edit: Edit) -> None:
    built(settings)
    edit(MART, "    uploads\n", "    uploads / nothing\n")
    with pytest.raises(ModelFailedError):
        built(settings)
    assert not (settings.lake / BUILD_FILE).exists()


def test_meta_says_what_was_read_and_how_columns_depend(settings: Settings) -> None:
    built(settings)
    lineage = pl.read_parquet(path_of(settings.lake, "meta.lineage"))
    edges = lineage.filter(table_name="lab_volume", column_name="uploads").select("from_table", "from_column").rows()
    assert edges == [("intermediate.int_lab__uploads", "uploads")]
    staged = lineage.filter(table_name="stg_reference__facts", column_name="uploads")
    assert staged.select("from_table", "from_column").rows() == [("raw.reference__facts", "uploads")]
    snapshots = pl.read_parquet(path_of(settings.lake, "meta.snapshots"))
    assert snapshots.select("source_id", "request", "n_rows").rows() == [("reference", "facts", 2)]
    known = json.loads((settings.lake / BUILD_FILE).read_text())
    own = {"reference/facts.csv", "snapshots", "content", "code", "settings", "engine", "as_of"}
    assert set(known["inputs"]) == own | set(versions())


@pytest.mark.parametrize("library", ["python", *NUMERIC_STACK])
def test_another_version_of_the_numeric_stack_changes_every_cached_key_and_the_build(
    settings: Settings, edit: Edit, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    edit(MART, "rows: {min: 1}", "rows: {min: 1}\ncache: true")
    edit(POLARS, 'GRAIN = ("lab_id",)', 'GRAIN = ("lab_id",)\nCACHE = True')
    first = built(settings)
    before = {path.parent.name: path.name for path in (settings.lake / "cache").glob("*/*") if path.is_dir()}
    for module in (cache, inputs):
        monkeypatch.setattr(module, "versions", lambda: versions() | {library: "0.0"})
    second = built(settings)
    after = [(path.parent.name, path.name) for path in (settings.lake / "cache").glob("*/*") if path.is_dir()]
    assert second.build_id != first.build_id
    assert len(before) == 2
    assert {name for name, key in after if before[name] != key} == set(before)


@pytest.mark.parametrize("error", [duckdb.IOException, pl.exceptions.ComputeError])
def test_d03_a_full_disk_is_reported_as_one_also_where_an_engine_wraps_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(*_: object) -> None:
        message = "could not write to file: No space left on device"
        raise error(message)

    monkeypatch.setattr(build, "_run", refuse)
    with pytest.raises(PublishRefusedError, match="No space left on device") as failure:
        built(settings)
    assert "free space" in failure.value.fix
    assert "correct" not in failure.value.fix


def test_an_input_of_the_future_moves_no_date_of_a_build(settings: Settings, edit: Callable[[str, str, str], Path]) -> None:
    edit("data/reference/facts.csv", "2026-05-01", "2099-05-01")
    with pytest.raises(ContentError, match="an input is of 2099-05-01, and today is"):
        build_models(settings, read_project(settings.content))
    assert not (settings.lake / "build.json").exists()
