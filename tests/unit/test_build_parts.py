"""What a build is made of, each part by itself: its tables about itself, cached results, what the lake is compared with."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from datamoat.build import polars_models
from datamoat.build.as_of import rebuild_as_of
from datamoat.build.cache import HASHES, RETAINED_RESULTS, CachedResult, cache_key, damaged_results, folder_of
from datamoat.build.polars_models import run_polars
from datamoat.build.record import BUILD_FILE, Build, check_lake, damaged_files, examine_lake, read_build
from datamoat.build.run import build_models, check_declared
from datamoat.errors import ModelFailedError
from datamoat.project.model import Column, Model, Project, Table
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.files import write_record
from datamoat.storage.lake import path_of


def test_a_build_states_every_table_column_and_input_of_itself(settings: Settings) -> None:
    build = build_models(settings, read_project(settings.content))
    meta = {name: pl.read_parquet(path_of(settings.lake, f"meta.{name}")) for name in build.meta}
    assert meta["models"].select("layer", "table_name", "grain", "reads", "n_rows", "path").rows() == [
        ("intermediate", "int_lab__uploads", ["lab_id"], ["staging.stg_reference__facts"], 2, "transforms/intermediate/lab/int_lab__uploads.py"),
        ("marts", "lab_volume", ["lab_id"], ["intermediate.int_lab__uploads"], 2, "transforms/marts/volume/lab_volume.sql"),
        ("marts", "source_freshness", ["source_id"], ["meta.sources"], 0, "transforms/marts/trust/source_freshness.sql"),
        ("staging", "stg_reference__facts", ["platform_id"], ["raw.reference__facts"], 2, "transforms/staging/reference/stg_reference__facts.sql"),
    ]  # fmt: skip
    hashes = dict(meta["models"].select("table_name", "content_hash").iter_rows())
    assert {name for name, content in hashes.items() if content} == {"lab_volume", "source_freshness"}
    assert meta["columns"].filter(layer="marts").drop("description").rows() == [
        ("lab_volume", "marts", 1, "lab_id", "VARCHAR", None, [], True, False),
        ("lab_volume", "marts", 2, "uploads", "DOUBLE", "videos a day", [], False, False),
        ("source_freshness", "marts", 1, "source_id", "VARCHAR", None, [], True, False),
        ("source_freshness", "marts", 2, "status", "VARCHAR", None, ["fresh"], False, False),
        ("source_freshness", "marts", 3, "reason", "VARCHAR", None, [], False, True),
    ]
    assert dict(meta["inputs"].iter_rows()) == build.inputs
    (facts,) = meta["build"].drop("built_at").rows(named=True)
    assert facts == {
        "build_id": build.build_id, "as_of": date(2026, 5, 1), "engine_version": build.inputs["engine"],
        "duckdb_version": build.inputs["duckdb"], "settings": json.dumps(build.settings, sort_keys=True),
    }  # fmt: skip
    assert build.settings == {"seed": 1, "as_of": "2026-05-01"}
    reference = settings.reference / "facts.csv"
    sha256 = hashlib.sha256(reference.read_bytes()).hexdigest()
    assert meta["snapshots"].rows(named=True) == [
        dict.fromkeys(meta["snapshots"].columns)
        | {
            "snapshot_id": f"reference/facts/{sha256[:12]}", "source_id": "reference", "request": "facts", "validation_status": "ok",
            "is_served": True, "n_rows": 2, "n_bytes": reference.stat().st_size, "sha256": sha256,
        }
    ]  # fmt: skip
    assert {name: measured["n_bytes"] for name, measured in build.tables.items()} == {
        name: path_of(settings.lake, name).stat().st_size for name in build.tables
    }
    assert read_build(settings.lake) == build
    assert examine_lake(settings.lake) == [(True, f"lake: build {build.build_id}, every file as it was built", "")]


def made(folder: Path, **tables: bytes) -> tuple[CachedResult, dict[str, str]]:
    """Write a cached result."""
    result = CachedResult(folder)
    folder.mkdir(parents=True)
    for name, body in tables.items():
        result.file(name).write_bytes(body)
    hashes = {name: hashlib.sha256(body).hexdigest() for name, body in tables.items()}
    result.save(hashes)
    return result, hashes


def test_a_cached_result_is_taken_only_as_it_was_made_and_as_the_last_build_took_it(tmp_path: Path) -> None:
    result, hashes = made(tmp_path / "m" / "k", a=b"one", b=b"two")
    assert result.hashes() == result.hashes(hashes) == (hashes, None)
    forged = f"{result.folder} was changed together with {HASHES}: the last build took other bytes from it"
    assert result.hashes({**hashes, "a": "0"}) == ({}, forged)
    result.file("a").write_bytes(b"other")
    assert result.hashes() == ({}, f"{result.file('a')} is damaged or missing, or its name in hashes.json is")
    result.file("a").unlink()
    assert result.hashes() == ({}, f"{result.file('a')} is damaged or missing, or its name in hashes.json is")
    for text in ("[", "[1]", "3"):
        (result.folder / HASHES).write_text(text)
        assert result.hashes() == ({}, f"{result.folder / HASHES} is damaged")
    (result.folder / HASHES).unlink()
    assert result.hashes() == ({}, None)
    assert CachedResult(tmp_path / "absent").hashes() == ({}, None)


def test_the_newest_results_of_a_model_are_retained(tmp_path: Path) -> None:
    for number in range(RETAINED_RESULTS + 2):
        result, _ = made(tmp_path / "m" / f"k{number}", a=b"%d" % number)
        os.utime(result.folder, (number, number))
    made(tmp_path / "n" / "other", a=b"x")
    last, _ = made(tmp_path / "m" / "last", a=b"last")
    assert {folder.name for folder in (tmp_path / "m").iterdir()} == {"last", "k3", "k4"}
    assert (tmp_path / "n" / "other").is_dir()
    target = tmp_path / "lake" / "a.parquet"
    last.link("a", target)
    last.link("a", target)
    assert target.samefile(last.file("a"))
    assert [path.name for path in target.parent.iterdir()] == ["a.parquet"]
    again, _ = made(tmp_path / "m" / "again", a=b"again")
    again.link("a", target)
    assert (target.read_bytes(), last.file("a").read_bytes()) == (b"again", b"last")


def test_damaged_cached_results_and_records_are_each_named(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    good, _ = made(cache / "m" / "good", a=b"one")
    bad, _ = made(cache / "m" / "bad", a=b"two")
    bad.file("a").write_bytes(b"other")
    write_record(cache / "fine.json", {"a": 1})
    (cache / "broken.json").write_text("{}")
    half, _ = made(cache / "m" / "half", a=b"three")
    (half.folder / "hashes.json").unlink()
    problems = [
        f"{bad.file('a')} is damaged or missing, or its name in hashes.json is",
        f"{half.folder / 'hashes.json'} was deleted, or never written",
        f"{cache / 'broken.json'} is damaged, or of a later version",
    ]
    assert damaged_results(tmp_path) == problems
    again = "the next build that needs it computes it again; or delete it"
    assert examine_lake(tmp_path) == [
        (True, "lake: no finished build", ""),
        *((False, f"cache: {one}", again) for one in problems),
    ]
    assert good.hashes()[1] is None


def record(tmp_path: Path) -> Build:
    """Write a lake of two tables, and the record of its build."""
    sha256 = {}
    for name in ("marts.a", "meta.b"):
        path_of(tmp_path, name).parent.mkdir(parents=True)
        path_of(tmp_path, name).write_bytes(name.encode())
        sha256[name] = hashlib.sha256(name.encode()).hexdigest()
    build = Build(
        "b",
        date(2026, 3, 1),
        datetime(2026, 3, 1, tzinfo=UTC),
        {},
        {"marts.a": {"sha256": sha256["marts.a"]}},
        {},
        {"b": sha256["meta.b"]},
    )
    build.write(tmp_path / BUILD_FILE)
    return build


def test_every_file_of_the_lake_that_is_not_what_was_built_is_named(tmp_path: Path) -> None:
    build = record(tmp_path)
    check_lake(tmp_path, build)
    path_of(tmp_path, "marts.a").write_bytes(b"x")
    path_of(tmp_path, "meta.b").unlink()
    assert damaged_files(tmp_path, build) == [path_of(tmp_path, "marts.a"), path_of(tmp_path, "meta.b")]
    with pytest.raises(ModelFailedError, match=r"2 file\(s\) of the lake are not what was built: a, b") as failure:
        check_lake(tmp_path, build)
    assert failure.value.where == str(path_of(tmp_path, "marts.a"))
    again = "`datamoat build` makes them again"
    assert examine_lake(tmp_path) == [(False, f"lake: {name} is damaged or missing", again) for name in ("marts.a", "meta.b")]
    (tmp_path / BUILD_FILE).write_text("{")
    assert examine_lake(tmp_path) == [(False, f"lake: {BUILD_FILE} is damaged", "`datamoat build` makes it again")]
    with pytest.raises(ModelFailedError, match="there is no finished build"):
        read_build(tmp_path)


TABLE = Table("m", "marts", "A mart.", ("a",), frozenset({"b"}))
MODEL = Model("m", "marts", Path("m.sql"), is_sql=True, text="select 1", reads=("staging.s",), tables=(TABLE,))
PROJECT = Project(Path(), (MODEL,), {name: Column(name, "INTEGER", "A number.") for name in "abc"})


@pytest.mark.parametrize(
    ("found", "table", "message"),
    [
        ({"a": "INTEGER", "b": "INTEGER"}, TABLE, None),
        ({"a": "INTEGER", "b": "INTEGER", "z": "DATE"}, TABLE, "column 'z' of marts.m has no definition"),
        ({"a": "INTEGER", "b": "DATE"}, TABLE, "column 'b' of marts.m is DATE, and the dictionary states INTEGER"),
        ({"b": "INTEGER"}, TABLE, "the header of marts.m names 'a', which is no column of it"),
        ({"a": "INTEGER"}, TABLE, "the header of marts.m names 'b', which is no column of it"),
    ],
)
def test_a_table_has_the_columns_that_the_dictionary_and_its_header_state(
    found: dict[str, str], table: Table, message: str | None
) -> None:
    if message is None:
        check_declared(PROJECT, table, found, Path("m.sql"))
        return
    with pytest.raises(ModelFailedError) as failure:
        check_declared(PROJECT, table, found, Path("m.sql"))
    assert failure.value.what == message


def test_a_header_of_several_tables_may_call_a_column_nullable_that_one_of_them_lacks() -> None:
    both = replace(MODEL, tables=(TABLE, replace(TABLE, name="n")))
    project = replace(PROJECT, models=(both,))
    check_declared(project, TABLE, {"a": "INTEGER"}, Path("m.sql"))
    with pytest.raises(ModelFailedError, match="names 'a'"):
        check_declared(project, TABLE, {"b": "INTEGER"}, Path("m.sql"))


def test_a_cached_result_has_another_key_when_anything_it_depends_on_changes(tmp_path: Path) -> None:
    hashes = {"staging.s": "1", "staging.other": "1"}
    keys = {
        cache_key(MODEL, {}, hashes), cache_key(replace(MODEL, text="select 2"), {}, hashes), cache_key(MODEL, {"as_of": "d"}, hashes),
        cache_key(MODEL, {}, {**hashes, "staging.s": "2"}),
    }  # fmt: skip
    assert len(keys) == 4
    assert cache_key(MODEL, {}, {**hashes, "staging.other": "2"}) in keys
    assert {len(key) for key in keys} == {24}
    assert folder_of(tmp_path, MODEL, "k") == tmp_path / "cache" / "m" / "k"


PROGRAM = '''"""A model."""

import polars as pl

GRAIN = ("a", "b")


def model(staging_s):
    """Return rows."""
    {body}
'''
KEYED = Table("m", "marts", "A mart.", ("a", "b"))


def run_program(tmp_path: Path, body: str, table: Table = KEYED) -> Path:
    """Run a program as a model and return the file it wrote."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(body=body))
    (tmp_path / "staging").mkdir(exist_ok=True)
    pl.DataFrame({"a": [2, 1, 1], "b": ["x", "z", "y"], "v": [0.5, 1.5, 2.5]}).write_parquet(
        tmp_path / "staging" / "staging_s.parquet"
    )
    model = Model("m", "marts", program, is_sql=False, text="", reads=("staging.staging_s",), tables=(table,))
    target = tmp_path / "out" / "m.parquet"
    run_polars(tmp_path, model, {}, {"m": target})
    return target


@pytest.mark.parametrize(
    "body",
    [
        "return staging_s", "return staging_s.collect()", "return {'m': staging_s.sort('a', 'b')}",
        "return (frame for frame in staging_s.collect().sort('a', 'b').iter_slices(1))",
        "return iter([staging_s.collect().sort('a', 'b').clear(), staging_s.collect().sort('a', 'b')])",
    ],
)  # fmt: skip
def test_what_a_program_returns_is_stored_in_the_order_of_its_whole_grain(tmp_path: Path, body: str) -> None:
    path = run_program(tmp_path, body)
    assert pl.read_parquet(path).rows() == [(1, "y", 2.5), (1, "z", 1.5), (2, "x", 0.5)]
    assert [one.name for one in path.parent.iterdir()] == ["m.parquet"]
    written = pq.read_metadata(path)
    group = written.row_group(written.num_row_groups - 1)
    encodings = {group.column(i).path_in_schema: set(group.column(i).encodings) for i in range(3)}
    assert ["BYTE_STREAM_SPLIT" in encodings[name] for name in ("a", "b", "v")] == [False, False, True]
    assert group.column(0).compression == "ZSTD"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return staging_s.drop('b')", "marts.m has no column 'b', which its grain names"),
        ("return iter([staging_s.collect()])", "the frames of marts.m do not follow each other in the order of its grain"),
        ("return iter([staging_s.collect()[[0]], staging_s.collect()[[1]]])",
         "the frames of marts.m do not follow each other in the order of its grain"),
        ("return {'other': staging_s}", "m returned ['other'], and its header promises ['m']"),
        ("return 1 / 0", "marts.m did not run: ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_what_a_program_may_not_return_is_named(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ModelFailedError) as failure:
        run_program(tmp_path, body)
    assert failure.value.what == message
    assert failure.value.where == str(tmp_path / "program.py")


def test_a_large_frame_is_written_in_groups_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "return pl.DataFrame({'a': list(range(100)), 'b': [0] * 100})"
    assert pq.read_metadata(run_program(tmp_path, body)).num_row_groups == 1
    monkeypatch.setattr(polars_models, "GROUP_BYTES", 16 * 30)  # thirty rows of two numbers of eight bytes
    written = pq.read_metadata(run_program(tmp_path, body))
    assert [written.row_group(i).num_rows for i in range(written.num_row_groups)] == [30, 30, 30, 10]
    assert pl.read_parquet(tmp_path / "out" / "m.parquet")["a"].to_list() == list(range(100))


def test_a_build_as_of_a_day_is_made_once_and_again_when_it_is_damaged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_builds = []

    def counted(*given: object) -> Build:
        n_builds.append(given)
        return build_models(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("datamoat.build.as_of.build_models", counted)
    settings.snapshots.mkdir()
    day = date(2026, 4, 1)
    for n in (1, 1, 2):
        build, con = rebuild_as_of(settings, day)
        assert con.sql("select lab_id, uploads from marts.lab_volume").fetchall() == [("douyin", 5.0)]
        assert con.sql("select as_of from meta.build").fetchall() == [(day,)]
        con.close()
        assert (len(n_builds), build.as_of) == (n, day)
        lake = settings.lake / "as-of" / "2026-04-01" / "lake"
        if len(n_builds) == 1 and n == 1 and (settings.lake / "seen").exists():
            shutil.rmtree(lake / "marts")
        (settings.lake / "seen").touch()
    assert (lake.parent / "snapshots").resolve() == settings.snapshots.resolve()
    assert not (settings.lake / BUILD_FILE).exists()
