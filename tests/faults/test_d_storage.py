"""D: storage and process. A step that is stopped anywhere leaves the last good file or the new one, and can be run again."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.build.run import build_models
from datamoat.project.read import read_project
from datamoat.project.scaffold import write_source
from datamoat.publish.audit import audit_build
from datamoat.publish.gx_worker import Worker
from datamoat.publish.warehouse import publish_warehouse
from datamoat.settings import Settings
from datamoat.storage.warehouse import published_build

STEPS = ("fetch", "land", "build", "audit", "publish", "export")
COLUMNS = """
entry_name: {type: VARCHAR, description: "An entry, as listed."}
captured_on: {type: DATE, description: Day of the capture.}
snapshot_id: {type: VARCHAR, description: The snapshot a row is from.}
value: {type: DOUBLE, unit: points, description: What the publisher counts.}
"""
MART = """/*---
description: Every entry as listed.
grain: [entry_name, captured_on]
nullable: [value]
---*/
select
    entry_name,
    captured_on,
    value
from staging.stg_example_board__entries
"""
READER = """
import os, sys, time, duckdb
last = False
while not last:
    last = os.path.exists(sys.argv[2])
    with duckdb.connect(sys.argv[1], read_only=True) as con:
        ask = "select build_id, (select list(uploads order by lab_id)::varchar from marts.lab_volume) from meta.build"
        first = con.sql(ask).fetchall()
        time.sleep(0.05)
        assert con.sql(ask).fetchall() == first, "a session saw two builds"
        print(*first[0], sep="|", flush=True)
    time.sleep(0.3)
"""


class NoWorker(Worker):
    """Contracts and checks alone: Great Expectations is not what is tried here."""

    def __init__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def validate(self, *_: object) -> list[Any]:
        return []


def publish(settings: Settings) -> None:
    project = read_project(settings.content)
    build_models(settings, project)
    audit_build(settings, project, NoWorker())
    publish_warehouse(settings, project)


@pytest.fixture
def stopped(tree: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that stops a step in every way asked for, and says what was wrong after it."""
    write_source(Settings(content=tree, data=tree / "data"), "example_board")
    columns = tree / "transforms" / "columns.yml"
    columns.write_text(columns.read_text() + COLUMNS)
    mart = tree / "transforms" / "marts" / "boards" / "listed.sql"
    mart.parent.mkdir(parents=True)
    mart.write_text(MART)

    def stop(step: str, how: str, trials: int = 0) -> dict[str, Any]:
        work = tmp_path / "work"
        call = [sys.executable, str(Path(__file__).with_name("trials.py")), str(tree), str(work), step, how, str(trials)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return stop


def test_d01_a_fetch_killed_before_any_of_its_changes_leaves_bytes_that_can_be_landed(stopped: Callable[..., Any]) -> None:
    told = stopped("fetch", "killed")
    assert told["wrong"] == []
    assert told["ends"]["killed"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS[1:])
def test_d01_a_step_killed_before_any_of_its_changes_leaves_the_last_good_file(step: str, stopped: Callable[..., Any]) -> None:
    told = stopped(step, "killed")
    assert told["wrong"] == []
    assert told["ends"]["killed"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_d01_a_step_killed_at_any_moment_leaves_the_last_good_file(step: str, stopped: Callable[..., Any]) -> None:
    told = stopped(step, "at-once", 40)  # 240 in all, spread over the time it took before; on a busy machine some come late
    assert told["wrong"] == []
    assert told["ends"]["killed"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refused", "full"])
@pytest.mark.parametrize("step", STEPS)
def test_d02_a_disk_that_refuses_any_change_is_told_and_leaves_the_last_good_file(
    step: str, how: str, stopped: Callable[..., Any]
) -> None:
    told = stopped(step, how)
    assert told["wrong"] == []
    assert told["ends"]["told"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fetch", "land", "build", "publish", "export"])
def test_d03_a_disk_that_is_full_at_any_part_of_a_write_is_told_and_leaves_the_last_good_file(
    step: str, stopped: Callable[..., Any]
) -> None:
    told = stopped(step, "short", 20)
    assert told["wrong"] == []
    assert told["ends"]["told"] > 0


def test_d07_twenty_readers_meet_no_lock_and_see_one_build_each_while_others_are_published(
    settings: Settings, edit: Callable[[str, str, str], Path], tmp_path: Path
) -> None:
    publish(settings)
    call = [sys.executable, "-c", READER, str(settings.published), str(tmp_path / "enough")]
    readers = [subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(20)]
    seen: dict[str, set[str]] = {}
    for reader in readers:  # each has read once before the next build comes
        assert reader.stdout is not None
        assert "[5.0, 7.0]" in reader.stdout.readline()
    for number in range(4):
        edit("data/reference/facts.csv", f"{7 + number}.0", f"{8 + number}.0")
        publish(settings)
    (tmp_path / "enough").touch()
    for reader in readers:
        said, failed = reader.communicate(timeout=120)
        assert reader.returncode == 0, failed
        for line in said.splitlines():
            build_id, _, uploads = line.partition("|")
            seen.setdefault(build_id, set()).add(uploads)
    last = published_build(settings)
    assert last is not None
    assert seen[last.build_id] == {"[5.0, 11.0]"}
    assert {len(rows) for rows in seen.values()} == {1}


def test_d10_a_published_file_of_a_later_duckdb_is_set_aside_and_built_again(settings: Settings) -> None:
    publish(settings)
    later = bytearray(settings.published.read_bytes())
    later[12:20] = (9_999).to_bytes(8, "little")  # where a DuckDB file says which storage version it is of
    settings.published.unlink()
    settings.published.write_bytes(later)
    with pytest.raises(duckdb.Error):
        duckdb.connect(str(settings.published), read_only=True)
    publish(settings)
    assert published_build(settings) is not None
    (aside,) = (settings.warehouse / "set-aside").iterdir()
    assert aside.read_bytes() == bytes(later)


def test_d09_d12_it_runs_with_little_memory_one_core_few_files_locale_c_and_an_odd_path(tree: Path, tmp_path: Path) -> None:
    odd = tmp_path / ("a folder's 名前; é " + "x" * 180)
    shutil.copytree(tree, odd)

    def starve() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "DATAMOAT"))}
    environment |= {"LC_ALL": "C", "DATAMOAT_MEMORY": "512MB", "DATAMOAT_ROOT": str(odd), "DATAMOAT_DATA": str(odd / "the data")}
    for verb in ("run", "export", "status"):
        call = [sys.executable, "-m", "datamoat", verb]
        done = subprocess.run(call, env=environment, cwd=odd, capture_output=True, text=True, check=False, preexec_fn=starve)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((odd / "the data" / "exports").glob("datamoat-*/datapackage.json"))) == 1
