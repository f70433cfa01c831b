"""D: storage and process. A step that is stopped anywhere leaves the last good file or the new one, and can be run again."""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.build.record import examine_lake, read_build
from datamoat.build.run import build_models
from datamoat.errors import BusyError, ContentError, DatamoatError, ModelFailedError, PublishRefusedError
from datamoat.ingest.decisions import Choice, Decision, examine_decisions, read_decisions, write_decision
from datamoat.project.read import read_project
from datamoat.project.scaffold import write_source
from datamoat.publish.audit import audit_build
from datamoat.publish.gx_worker import Worker
from datamoat.publish.results import examine_audit
from datamoat.publish.warehouse import publish_warehouse, rollback
from datamoat.settings import Settings
from datamoat.storage.clients import SET_ASIDE, logs_of, remove_log
from datamoat.storage.examine import examine_rows, examine_warehouse
from datamoat.storage.files import FORMAT, NO_LOCKS, _checksum, one_writer, sha256_of, write_json, write_record
from datamoat.storage.lake import path_of
from datamoat.storage.snapshots import Snapshots, examine_snapshots
from datamoat.storage.warehouse import (
    LAST,
    Published,
    check_published,
    open_published,
    published_build,
    retained_builds,
)
from datamoat.views.status import read_status

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
    """Return a function that stops a step in every way asked for, and reports what was wrong after it."""
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
        reported: dict[str, Any] = json.loads(done.stdout)
        return reported

    return stop


def test_d01_a_fetch_killed_before_any_of_its_changes_leaves_bytes_that_can_be_landed(stopped: Callable[..., Any]) -> None:
    reported = stopped("fetch", "killed")
    assert reported["wrong"] == []
    assert reported["ends"]["killed"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS[1:])
def test_d01_a_step_killed_before_any_of_its_changes_leaves_the_last_good_file(step: str, stopped: Callable[..., Any]) -> None:
    reported = stopped(step, "killed")
    assert reported["wrong"] == []
    assert reported["ends"]["killed"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_d01_a_step_killed_at_any_moment_leaves_the_last_good_file(step: str, stopped: Callable[..., Any]) -> None:
    reported = stopped(step, "at-once", 40)  # 240 in all, spread over the time it took before; on a busy machine some come late
    assert reported["wrong"] == []
    assert reported["ends"]["killed"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refused", "full"])
@pytest.mark.parametrize("step", STEPS)
def test_d02_a_disk_that_refuses_any_change_is_reported_and_leaves_the_last_good_file(
    step: str, how: str, stopped: Callable[..., Any]
) -> None:
    reported = stopped(step, how)
    assert reported["wrong"] == []
    assert reported["ends"]["reported"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fetch", "land", "build", "publish", "export"])
def test_d03_a_disk_that_is_full_at_any_part_of_a_write_is_reported_and_leaves_the_last_good_file(
    step: str, stopped: Callable[..., Any]
) -> None:
    reported = stopped(step, "short", 20)
    assert reported["wrong"] == []
    assert reported["ends"]["reported"] > 0


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
        printed, failed = reader.communicate(timeout=120)
        assert reader.returncode == 0, failed
        for line in printed.splitlines():
            build_id, _, uploads = line.partition("|")
            seen.setdefault(build_id, set()).add(uploads)
    last = published_build(settings)
    assert last is not None
    assert seen[last.build_id] == {"[5.0, 11.0]"}
    assert {len(rows) for rows in seen.values()} == {1}


def test_d10_a_published_file_of_a_later_duckdb_is_set_aside_and_built_again(settings: Settings) -> None:
    publish(settings)
    later = bytearray(settings.published.read_bytes())
    later[12:20] = (9_999).to_bytes(8, "little")  # where a DuckDB file has its storage version
    settings.published.unlink()
    settings.published.write_bytes(later)
    with pytest.raises(duckdb.Error):
        duckdb.connect(str(settings.published), read_only=True)
    publish(settings)
    assert published_build(settings) is not None
    (aside,) = (settings.warehouse / "set-aside").iterdir()
    assert aside.read_bytes() == bytes(later)


def test_d09_d12_it_runs_with_little_memory_one_core_few_files_locale_c_and_an_odd_path(tree: Path, tmp_path: Path) -> None:
    odd = tmp_path / ('a folder\'s [v1] *名前*; é "100%" ' + "x" * 170)
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


@pytest.mark.parametrize("n_orders", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_in_any_order_of_opens_writes_kills_publications_rollbacks_and_exports_every_reader_sees_one_build(
    tree: Path, tmp_path: Path, n_orders: int
) -> None:
    call = [sys.executable, str(Path(__file__).with_name("orders.py")), str(tree), str(tmp_path), "published", str(n_orders)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    reported = json.loads(done.stdout)
    assert reported["wrong"] == []
    assert reported["counts"]["read: open"] > n_orders
    assert reported["counts"]["publish: through"] > n_orders
    written = (
        "write: through",
        "kill",
        "checkpoint: through",
        "read of a changed file: open",
    )  # by root alone: for others the mode forbids it
    few = (*(written if os.geteuid() == 0 else ("open to write: refused",)), "rollback: through", "export: through")
    for what in few if n_orders == 6 else (*few, "publish: BusyError"):  # two of six may never meet
        assert reported["counts"].get(what, 0) > 0, (what, reported["counts"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a process with its parent")
def test_the_program_of_random_orders_ends_with_the_one_that_started_it(tree: Path, tmp_path: Path) -> None:
    code = "import subprocess, sys\np = subprocess.Popen(sys.argv[1:])\nprint(p.pid, flush=True)\np.wait()"
    program = [sys.executable, str(Path(__file__).with_name("orders.py")), str(tree), str(tmp_path), "published", "200"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert runner.stderr is not None
        child = Path("/proc") / runner.stdout.readline().strip() / "stat"
        assert runner.stderr.readline().startswith("1 orders")
        assert child.exists()
        runner.kill()
    ended = time.monotonic() + 20
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < ended
        time.sleep(0.1)


def flip(path: Path, rng: random.Random) -> bytes:
    """Flip one bit of a file in place, and return the bytes it had."""
    body = path.read_bytes()
    damaged = bytearray(body)
    damaged[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    put(path, bytes(damaged))
    return body


def put(path: Path, body: bytes) -> None:
    """Replace the bytes of a file, whatever its mode, without another file that is a link to it."""
    beside = path.with_name(".beside")
    beside.write_bytes(body)
    shutil.copymode(path, beside)
    beside.replace(path)


def names(settings: Settings, path: Path) -> bool:
    """Return whether `doctor` names a file as damaged: by its table, its build or itself."""
    known = {path.name, path.stem, f"{path.parent.name}.{path.stem}", path.stem.removeprefix("datamoat-").rpartition("-")[0]}
    known |= {"published"} if path == settings.published else set()
    found = [*examine_warehouse(settings), *examine_lake(settings.lake), *examine_snapshots(settings.snapshots)]
    return any(not is_good and any(name and name in what for name in known) for is_good, what, _ in found)


def make_everything(tree: Path) -> Settings:
    """Publish the small tree with a cached model, a snapshot of a live source, and an earlier build."""
    settings = Settings(content=tree, data=tree / "data", threads=2, memory_limit="1GB")
    mart = tree / "transforms/marts/volume/lab_volume.sql"
    mart.write_text(mart.read_text().replace("rows: {min: 1}", "rows: {min: 1}\ncache: true"))
    store = Snapshots(settings.snapshots, "press")
    for day in (1, 2):
        moment = datetime(2026, 3, day, tzinfo=UTC)
        store.store(
            "page", b"<p>%d</p>" % day * 40, retrieved_at=moment, url="https://example.org", route="http", extension="html"
        )
    publish(settings)
    facts = tree / "data/reference/facts.csv"
    facts.write_text(facts.read_text().replace("7.0", "8.0"))
    publish(settings)
    return settings


STORES: dict[str, Callable[[Settings], list[Path]]] = {
    "published file": lambda s: [s.published],
    "retained builds": lambda s: sorted((s.warehouse / "builds").iterdir()),
    "lake": lambda s: [
        s.lake / "build.json",
        *sorted(p for d in ("staging", "intermediate", "marts") for p in (s.lake / d).iterdir()),
    ],
    "cache": lambda s: sorted((s.lake / "cache").rglob("*.parquet")) + sorted((s.lake / "cache").glob("*.json")),
    "snapshots": lambda s: sorted(path for path in (s.snapshots / "press" / "page").rglob("*") if path.is_file()),
}


@pytest.mark.parametrize("n_flips", [12, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("store", STORES)
def test_d04_a_flipped_bit_anywhere_is_named_and_what_it_changed_is_never_read(tree: Path, store: str, n_flips: int) -> None:
    settings = make_everything(tree)
    assert not any(names(settings, path) for find in STORES.values() for path in find(settings))
    rng = random.Random(n_flips)  # noqa: S311  (a fixed seed)
    for path in rng.choices(STORES[store](settings), k=n_flips):
        body = flip(path, rng)
        assert names(settings, path), path
        if store == "published file":
            with pytest.raises(PublishRefusedError, match="damaged or was changed"):
                check_published(settings)
            with open_published(settings) as con:
                assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(8.0,)]
        if store == "retained builds" and path.suffix == ".duckdb" and path.stem != published(settings).path.stem:
            with pytest.raises(PublishRefusedError, match="retained file"):
                rollback(settings)
        if store == "lake":
            with pytest.raises(ModelFailedError):
                audit_build(settings, read_project(settings.content), NoWorker())
        if store == "snapshots":
            with pytest.raises(ContentError):
                bodies(settings)
        put(path, body)
    assert not any(names(settings, path) for path in STORES[store](settings))


def bodies(settings: Settings) -> list[bytes]:
    """Return the bytes of every snapshot, each checked against its receipt."""
    snapshots = Snapshots(settings.snapshots, "press")
    return [snapshots.body(receipt) for receipt in snapshots.of()]


def published(settings: Settings) -> Published:
    """Return what is published."""
    build = published_build(settings)
    assert build is not None
    return build


def test_a_damaged_cached_result_is_named_and_computed_again(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = make_everything(tree)
    before = read_build(settings.lake).tables
    for cached in (settings.lake / "cache").rglob("*.parquet"):
        with duckdb.connect() as con:
            con.execute(f"copy (select * replace (uploads * 1000 as uploads) from '{cached}') to '{tree}/thousandfold.parquet'")
        put(cached, (tree / "thousandfold.parquet").read_bytes())
    with caplog.at_level("WARNING", logger="datamoat"):
        build = build_models(settings, read_project(settings.content))
    assert "lab_volume.parquet is damaged" in caplog.text
    assert {name: table["sha256"] for name, table in build.tables.items()} == {n: t["sha256"] for n, t in before.items()}


def test_a_cached_result_that_is_forged_together_with_its_hashes_is_named_and_computed_again(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_everything(tree)
    before = read_build(settings.lake).tables
    forge(settings, tree)
    with caplog.at_level("WARNING", logger="datamoat"):
        build = build_models(settings, read_project(settings.content))
    assert "was changed together with hashes.json: the last build took other bytes from it" in caplog.text
    assert {name: table["sha256"] for name, table in build.tables.items()} == {n: t["sha256"] for n, t in before.items()}


def test_a_cached_result_that_is_forged_together_with_its_hashes_and_the_record_of_the_build_is_not_published(tree: Path) -> None:
    settings = make_everything(tree)
    forge(settings, tree)
    (settings.lake / "build.json").unlink()
    with pytest.raises(
        PublishRefusedError, match=r"was published with other rows in lab_volume, from the same inputs and programs"
    ):
        publish(settings)
    with open_published(settings) as con:
        assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(8.0,)]
    shutil.rmtree(settings.lake / "cache")
    publish(settings)


def forge(settings: Settings, tree: Path) -> None:
    """Multiply every cached result by 1000 and state the hashes of what it is then."""
    for cached in (settings.lake / "cache").rglob("*.parquet"):
        with duckdb.connect() as con:
            con.execute(f"copy (select * replace (uploads * 1000 as uploads) from '{cached}') to '{tree}/thousandfold.parquet'")
        put(cached, (tree / "thousandfold.parquet").read_bytes())
        put(cached.with_name("hashes.json"), json.dumps({cached.stem: sha256_of(cached)}).encode())


def test_a_flipped_bit_in_the_record_of_the_audit_is_named(tree: Path) -> None:
    settings = make_everything(tree)
    path, rng = settings.lake / "audit.json", random.Random(3)  # noqa: S311  (a fixed seed)
    assert [is_good for is_good, *_ in examine_audit(settings.lake)] == [True]
    for damaged in [path, path_of(settings.lake, "meta.audits")] * 10:
        body = flip(damaged, rng)
        ((is_good, what, fix),) = examine_audit(settings.lake)
        assert (is_good, what) == (False, "lake: audit.json or the table of its results is damaged")
        assert "datamoat audit" in fix
        put(damaged, body)
    path.unlink()
    assert examine_audit(settings.lake) == [(True, "audit: there is none of the build in the lake", "`datamoat audit`")]


def test_a_deleted_manifest_is_told_apart_from_damage(tree: Path) -> None:
    settings = make_everything(tree)
    manifest = published(settings).path.with_suffix(".json")
    manifest.unlink()
    with pytest.raises(PublishRefusedError, match="the manifest of the published file was deleted") as refused:
        open_published(settings)
    assert refused.value.where == str(manifest)
    assert any(f"was deleted: {manifest.name}" in what for is_good, what, _ in examine_warehouse(settings) if not is_good)
    assert not any("damaged" in what for is_good, what, _ in examine_warehouse(settings) if not is_good)
    publish(settings)
    assert all(is_good for is_good, *_ in examine_warehouse(settings))


@pytest.mark.parametrize("damage", ["an older one", "missing", "another table's"])
def test_d06_a_file_of_the_lake_that_is_another_valid_one_is_named(tree: Path, damage: str) -> None:
    settings = make_everything(tree)
    mart = path_of(settings.lake, "marts.lab_volume")
    older = [path for path in (settings.lake / "cache").rglob("lab_volume.parquet") if path.read_bytes() != mart.read_bytes()]
    mart.unlink()
    if damage != "missing":
        shutil.copyfile(older[0] if damage == "an older one" else path_of(settings.lake, "marts.source_freshness"), mart)
    for use in (
        lambda: audit_build(settings, read_project(settings.content), NoWorker()),
        lambda: publish_warehouse(settings, read_project(settings.content)),
    ):
        with pytest.raises(DatamoatError, match=r"lab_volume|not audited"):
            use()
    assert names(settings, mart)


def test_d05_a_manifest_changed_together_with_its_file_is_caught_by_what_the_build_stated(tree: Path) -> None:
    settings = make_everything(tree)
    build = published(settings)
    build.path.chmod(0o644)
    with duckdb.connect(str(build.path)) as con:
        con.execute("update marts.lab_volume set uploads = uploads * 1000")
    build.path.chmod(0o444)
    stated = json.loads(build.path.with_suffix(".json").read_text())
    build.path.with_suffix(".json").write_text(json.dumps({**stated, "sha256": sha256_of(build.path)}))
    assert names(settings, build.path)
    with pytest.raises(PublishRefusedError):
        open_published(settings)
    publish(settings)
    with open_published(settings) as con:
        assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(8.0,)]


def test_a_published_file_is_read_only_and_no_link_to_what_is_retained(tree: Path) -> None:
    settings = make_everything(tree)
    files = [settings.published, *(settings.warehouse / "builds").glob("*.duckdb")]
    assert len(files) == 3
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o444"}
    assert len({path.stat().st_ino for path in files}) == 3


WRITER = """
import duckdb, os, sys
con = duckdb.connect(sys.argv[1])
con.execute("update marts.lab_volume set uploads = uploads + 1000")
con.execute("create table marts.scratch as select 1 as a")
print("written", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def client(tree: Path) -> Iterator[tuple[Settings, "subprocess.Popen[str]"]]:
    """Return a published tree and a client that edits the published file and holds it open."""
    settings = make_everything(tree)
    settings.published.chmod(0o644)
    call = [sys.executable, "-c", WRITER, str(settings.published)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield settings, process
        process.kill()


def test_while_a_client_holds_the_file_for_writing_it_is_named_nothing_is_swapped_and_readers_see_the_build(
    client: tuple[Settings, "subprocess.Popen[str]"], edit: Callable[[str, str, str], Path]
) -> None:
    settings, process = client
    edit("data/reference/facts.csv", "8.0", "9.0")
    before = settings.published.stat().st_ino
    with pytest.raises(BusyError, match=f"process {process.pid} holds the published file for writing"):
        publish(settings)
    with pytest.raises(BusyError, match=f"process {process.pid}"):
        rollback(settings)
    assert settings.published.stat().st_ino == before
    with open_published(settings) as con:
        assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(8.0,)]
    reported = [what for is_good, what, _ in examine_warehouse(settings) if not is_good]
    assert any(str(process.pid) in what for what in reported)
    assert any("datamoat.duckdb.wal" in what for what in reported)
    status = read_status(settings)
    assert (status.is_good, status.facts["writer"]) == (False, process.pid)
    assert status.lines[-1].startswith(f"writer     process {process.pid} holds the published file for writing")
    put(retained_builds(settings)[0].path, b"damaged")  # so that there is nothing to read instead
    with pytest.raises(BusyError, match=f"process {process.pid} holds the published file for writing"):
        open_published(settings)


CHECKPOINTER = WRITER.replace('print("written"', 'con.execute("checkpoint")\nprint("written"')


@pytest.fixture
def changed(tree: Path) -> Iterator[tuple[Settings, "subprocess.Popen[str]"]]:
    """Return a published tree that was gone back to its first build, and a client that brought edits into the file and holds it."""
    settings = make_everything(tree)
    rollback(settings)
    settings.published.chmod(0o644)
    call = [sys.executable, "-c", CHECKPOINTER, str(settings.published)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        assert published_build(settings) is None
        yield settings, process
        process.kill()


def test_of_a_file_that_a_client_changed_the_build_published_last_is_read_and_one_line_names_the_client(
    changed: tuple[Settings, "subprocess.Popen[str]"], caplog: pytest.LogCaptureFixture
) -> None:
    settings, process = changed
    last = retained_builds(settings)[1]
    for is_held in (True, False):
        caplog.clear()
        with open_published(settings) as con:
            assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(7.0,)]  # not the newest, which has 8
            assert con.sql("select build_id from meta.build").fetchall() == [(last.build_id,)]
        held, end = (
            (f", and process {process.pid} holds it for writing", f"end process {process.pid}, then ") if is_held else ("", "")
        )
        line = (
            f"the published file was changed{held}; build {last.build_id} is read from its retained copy. "
            f"Next: {end}`datamoat rollback {last.build_id}`"
        )
        assert caplog.messages == [line]
        status = read_status(settings)
        assert (status.is_good, status.facts["is_changed"], last.build_id in status.lines[0]) == (False, True, True)
        assert status.lines[-1].startswith("file       the published file was changed")
        assert f"readers see the retained copy of {last.build_id}" in wrong(settings)
        process.kill()
        process.wait()
    assert rollback(settings, last.build_id).build_id == last.build_id
    assert read_status(settings).facts["is_changed"] is False


@pytest.mark.parametrize("why", ["the retained copy is damaged", "which was published last is not known"])
def test_of_a_changed_file_nothing_else_is_read_where_the_build_published_last_is_not_whole(
    changed: tuple[Settings, "subprocess.Popen[str]"], why: str
) -> None:
    settings, process = changed
    put(retained_builds(settings)[1].path if "copy" in why else settings.warehouse / LAST, b"damaged")
    with pytest.raises(PublishRefusedError, match=f"damaged or was changed.*, and process {process.pid} holds it") as refused:
        open_published(settings)
    assert refused.value.fix.startswith(f"end process {process.pid}; then ")
    assert (f"{LAST}, which names the build that was published last, is damaged" in wrong(settings)) is ("copy" not in why)


def test_a_deleted_published_file_is_not_called_nothing_yet_and_what_is_retained_is_named(tree: Path) -> None:
    settings = make_everything(tree)
    ids = ", ".join(build.build_id for build in retained_builds(settings))
    settings.published.unlink()
    assert f"published: the file was deleted; retained are {ids}" in wrong(settings)
    with pytest.raises(PublishRefusedError, match=f"the published file was deleted; retained are {ids}"):
        open_published(settings)


def test_a_decision_that_was_changed_cut_or_deleted_is_named_with_its_path(settings: Settings) -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    receipt = Snapshots(settings.snapshots, "press").store(
        "page", b"<p>", retrieved_at=moment, url="https://example.org", route="http", extension="html"
    )
    decision = Decision(receipt.snapshot_id, receipt.sha256, Choice.ACCEPT, moment, "ann", "It is right.")
    path = write_decision(settings, decision)
    landed = [{"snapshot_id": receipt.snapshot_id, "accepted": decision.stamp}]
    write_record(settings.lake / "raw" / "press" / "landing.json", {"code": "x", "landings": landed})
    whole = (True, "decisions: 1 as they were written", "")
    assert examine_decisions(settings) == [whole]
    body = path.read_bytes()
    for damaged in (body.replace(b'"accept"', b'"keep"'), body[:30]):
        put(path, damaged)
        ((is_good, what, fix),) = examine_decisions(settings)
        assert (is_good, fix) == (False, "restore it from the archive of data/snapshots.")
        assert what.startswith("decisions: a damaged decision")
        assert what.endswith(f"press/page/2026-03-01/{path.name}")
        with pytest.raises(ContentError) as refused:
            read_decisions(settings, "press")
        assert refused.value.where == str(path)
    path.unlink()
    assert [what for is_good, what, _ in examine_decisions(settings) if not is_good] == [
        f"decisions: the one about {receipt.snapshot_id} was deleted or is new since it was landed"
    ]
    (settings.reference / "quarantine").mkdir()
    (settings.reference / "quarantine" / "decisions.csv").write_text("columns\n")
    assert next(what for is_good, what, _ in examine_decisions(settings) if not is_good).startswith(
        "decisions: columns ['columns']"
    )


def test_rows_that_were_changed_with_the_hash_of_their_file_are_named_by_what_the_manifest_states_of_them(tree: Path) -> None:
    settings = make_everything(tree)
    assert examine_rows(settings) == []
    build = falsify(settings)
    assert wrong(settings) == ""
    assert examine_rows(settings) == [
        (
            False, f"build {build.build_id}: not the rows that its manifest states: lab_volume",
            f"delete all {build.path.stem}.*, then `datamoat run`",
        )
    ]  # fmt: skip
    build.path.unlink()
    assert [what for _, what, _ in examine_rows(settings)] == [
        f"build {build.build_id}: not the rows that its manifest states: lab_volume"
    ]
    state(build.path.with_suffix(".json"), tables={"gone": {"n_rows": 1, "content_hash": "x"}})
    assert "Table with name gone does not exist" in examine_rows(settings)[0][1]


def falsify(settings: Settings) -> Published:
    """Change a number in the published build, and with it its hash wherever one of its bytes is stated."""
    build = published(settings)
    build.path.chmod(0o644)
    with duckdb.connect(str(build.path)) as con:
        con.execute("update marts.lab_volume set uploads = 4242")
    sha256 = sha256_of(build.path)
    path = build.path.with_name(f"datamoat-{build.build_id}-{sha256[:8]}.duckdb")
    build.path.with_suffix(".json").rename(path.with_suffix(".json"))
    build.path.rename(path).chmod(0o444)
    state(path.with_suffix(".json"), sha256=sha256, n_bytes=path.stat().st_size)
    put(settings.published, path.read_bytes())
    return published(settings)


def test_the_log_of_a_killed_client_is_set_aside_and_nobody_reads_its_edits(
    client: tuple[Settings, "subprocess.Popen[str]"], edit: Callable[[str, str, str], Path]
) -> None:
    settings, process = client
    process.communicate("\n")
    edit("data/reference/facts.csv", "8.0", "9.0")
    with open_published(settings) as con:
        assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(8.0,)]
    for swap, uploads in ((rollback, 7.0), (publish, 9.0)):
        swap(settings)
        with duckdb.connect(str(settings.published), read_only=True) as con:
            assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(uploads,)]
            assert con.sql("select 1 from duckdb_tables() where table_name = 'scratch'").fetchall() == []
    assert [path.name for path in (settings.warehouse / "set-aside").iterdir()] == ["1-datamoat.duckdb.wal"]
    with duckdb.connect(str(settings.published), read_only=True) as con:  # the change is that of the build, not of the client
        assert con.sql("select old_value, new_value from marts.change where column_name = 'uploads'").fetchall() == [
            ("7.0", "9.0")
        ]


def test_of_the_files_of_clients_the_newest_ten_are_retained(tree: Path) -> None:
    settings = make_everything(tree)
    for number in range(13):
        settings.published.with_name("datamoat.duckdb.wal").write_bytes(b"edits %d" % number)
        remove_log(settings)
    aside = sorted((settings.warehouse / "set-aside").iterdir(), key=lambda path: int(path.name.split("-")[0]))
    assert [path.read_bytes() for path in aside] == [b"edits %d" % number for number in range(3, 13)]


def test_a_clients_log_beside_a_retained_build_is_named_and_the_build_is_not_read(tree: Path) -> None:
    settings = make_everything(tree)
    earlier = next(build for build in retained_builds(settings) if build.build_id != published(settings).build_id)
    earlier.path.chmod(0o644)
    call = [sys.executable, "-c", WRITER, str(earlier.path)]
    subprocess.run(call, input="\n", text=True, check=False, capture_output=True)
    earlier.path.chmod(0o444)
    assert logs_of(earlier.path)
    with pytest.raises(PublishRefusedError, match="a client's log lies beside it"):
        rollback(settings)
    assert any(earlier.build_id in what for is_good, what, _ in examine_warehouse(settings) if not is_good)


def test_a_damaged_retained_build_is_made_again_from_the_published_file_before_the_next_one(
    tree: Path, edit: Callable[[str, str, str], Path]
) -> None:
    settings = make_everything(tree)
    retained = published(settings).path
    put(retained, b"damaged")
    retained.with_name(f"{retained.name}.wal").write_bytes(b"edits")
    edit("data/reference/facts.csv", "8.0", "9.0")
    publish(settings)
    with duckdb.connect(str(settings.published), read_only=True) as con:
        assert con.sql("select old_value, new_value from marts.change where column_name = 'uploads'").fetchall() == [
            ("8.0", "9.0")
        ]
    assert rollback(settings).path == retained
    assert all(is_good for is_good, *_ in examine_warehouse(settings))


def test_a_log_of_another_database_is_refused_by_any_client_of_duckdb(client: tuple[Settings, "subprocess.Popen[str]"]) -> None:
    settings, process = client
    process.communicate("\n")
    earlier = next(build for build in retained_builds(settings) if build.build_id != published(settings).build_id)
    put(settings.published, earlier.path.read_bytes())  # a swap that leaves the log, as a copy by hand does
    with pytest.raises(duckdb.IOException, match="WAL does not match"):
        duckdb.connect(str(settings.published), read_only=True)


def retained_other(settings: Settings) -> Published:
    """Return the build that is retained and not published."""
    return next(build for build in retained_builds(settings) if build.build_id != published(settings).build_id)


def wrong(settings: Settings) -> str:
    """Return what `doctor` has against the warehouse."""
    return "\n".join(what for is_good, what, _ in examine_warehouse(settings) if not is_good)


EXPOSED: dict[str, tuple[str, Callable[[Path, Path], object]]] = {
    "mode 0666": ("has mode 0666", lambda path, _: path.chmod(0o666)),
    "a link to the retained file": ("is a link to", lambda path, other: (path.unlink(), path.symlink_to(other))),
    "the same file as the retained one": ("is one file under 2 names", lambda path, other: (path.unlink(), os.link(other, path))),
}


@pytest.mark.parametrize("how", EXPOSED)
@pytest.mark.parametrize("is_published", [True, False])
def test_a_file_that_one_write_could_damage_is_named_and_the_printed_command_protects_it(
    tree: Path, how: str, is_published: bool
) -> None:
    settings = make_everything(tree)
    files = (settings.published, published(settings).path)
    path, other = files if is_published else files[::-1]
    named, expose = EXPOSED[how]
    expose(path, other)
    (fix, *_) = [
        fix for is_good, what, fix in examine_warehouse(settings) if not is_good and what.startswith(f"{path.name} {named}")
    ]
    subprocess.run(fix.removeprefix("put a copy in its place: "), shell=True, check=True)  # noqa: S602  (what doctor prints)
    assert wrong(settings) == ""
    assert published_build(settings) is not None


def exchange(paths: list[Path]) -> None:
    """Give each file the name of the next one."""
    bodies = [path.read_bytes() for path in paths]
    for path, body in zip(paths, [*bodies[1:], bodies[0]], strict=True):
        put(path, body)


@pytest.mark.parametrize("n", [2, 3])
def test_retained_files_that_have_each_others_names_are_named_and_the_printed_command_names_them_right(
    tree: Path, edit: Callable[[str, str, str], Path], n: int
) -> None:
    settings = make_everything(tree)
    edit("data/reference/facts.csv", "8.0", "9.0")
    publish(settings)
    builds = retained_builds(settings)[:n]
    exchange([build.path for build in builds])
    (found,) = [(what, fix) for is_good, what, fix in examine_warehouse(settings) if not is_good]
    assert all(f"{build.build_id} as datamoat-" in found[0] for build in builds)
    assert "delete" not in found[1]
    subprocess.run(found[1], shell=True, check=True)  # noqa: S602  (what doctor prints)
    assert wrong(settings) == ""
    assert {path.suffix for path in builds[0].path.parent.iterdir()} == {".duckdb", ".json"}


def test_a_retained_file_whose_bytes_are_nowhere_is_to_be_deleted_whoever_has_a_copy_of_another(tree: Path) -> None:
    settings = make_everything(tree)
    other = retained_other(settings)
    put(other.path, published(settings).path.read_bytes())
    (found,) = [(what, fix) for is_good, what, fix in examine_warehouse(settings) if not is_good]
    assert found == (
        f"retained build {other.build_id}: the file is damaged or missing, or has a client's log", f"delete all {other.path.stem}.*"
    )  # fmt: skip


def test_rollback_passes_over_a_damaged_build_and_only_intact_ones_are_offered(
    tree: Path, edit: Callable[[str, str, str], Path]
) -> None:
    settings = make_everything(tree)
    edit("data/reference/facts.csv", "8.0", "9.0")
    publish(settings)
    newest, damaged, oldest = retained_builds(settings)
    put(damaged.path, b"damaged")
    put(settings.published, b"damaged")
    with pytest.raises(PublishRefusedError) as refused:
        check_published(settings)
    assert f"with one of {newest.build_id}, {oldest.build_id}." in refused.value.fix
    shutil.copyfile(newest.path, settings.published.with_name("copy"))
    settings.published.with_name("copy").replace(settings.published)
    assert rollback(settings).build_id == oldest.build_id
    with pytest.raises(PublishRefusedError, match=f"the retained file of build {damaged.build_id} is damaged"):
        rollback(settings, damaged.build_id)


@pytest.mark.parametrize("name", ["9 copy-datamoat.duckdb.wal", "5-datamoat.duckdb.wal/", "notes.txt"])
def test_what_a_person_puts_into_the_folder_of_files_set_aside_stops_nothing(tree: Path, name: str) -> None:
    settings = make_everything(tree)
    aside = settings.warehouse / "set-aside" / name.rstrip("/")
    aside.parent.mkdir()
    aside.mkdir() if name.endswith("/") else aside.touch()
    for number in range(12):
        settings.published.with_name("datamoat.duckdb.wal").write_bytes(b"edits %d" % number)
        rollback(settings)
    assert aside.exists()
    assert len(list(aside.parent.iterdir())) == SET_ASIDE + 1


def state(path: Path, **values: Any) -> None:
    """Write a manifest with other values and the checksum of what it states then."""
    stated = {name: value for name, value in json.loads(path.read_text()).items() if name != "checksum"} | values
    write_json(path, {**stated, "checksum": _checksum(stated)})


MANIFESTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "nested without end": ("is damaged", lambda path: put(path, b"[" * 100_000)),
    "a number as text": ("is damaged", lambda path: state(path, number="5")),
    "tables without hashes": ("is damaged", lambda path: state(path, tables={"lab_volume": {"n_rows": 2}})),
    "of a later format": ("a later version of datamoat wrote", lambda path: state(path, format=FORMAT + 1)),
    "of another build": ("states build", lambda path: state(path, build_id="20260101-0000aaaa")),
    "a pipe": ("is damaged", lambda path: (path.unlink(), os.mkfifo(path))),
}


@pytest.mark.parametrize("how", MANIFESTS)
def test_a_retained_manifest_that_cannot_be_read_is_named_and_shuts_out_no_other_build(tree: Path, how: str) -> None:
    settings = make_everything(tree)
    manifest = retained_other(settings).path.with_suffix(".json")
    what, change = MANIFESTS[how]
    change(manifest)
    assert any(manifest.name in line and what in line for line in wrong(settings).splitlines())
    assert retained_builds(settings) == [published(settings)]
    with open_published(settings) as con:
        assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(8.0,)]


@pytest.mark.parametrize("what", ["a folder", "a link that leads nowhere"])
def test_what_is_where_the_published_file_should_be_is_named(tree: Path, what: str) -> None:
    settings = make_everything(tree)
    settings.published.unlink()
    settings.published.mkdir() if what == "a folder" else settings.published.symlink_to("nowhere")
    assert f"{what} is where the published file should be" in wrong(settings)
    with pytest.raises(PublishRefusedError, match=what):
        open_published(settings)
    if what == "a folder":
        with pytest.raises(PublishRefusedError, match="where the published file should be"):
            rollback(settings)
        settings.published.rmdir()
    rollback(settings)
    assert published_build(settings) is not None


def test_a_pipe_in_place_of_a_database_is_named_and_waited_for_by_nobody(tree: Path) -> None:
    settings = make_everything(tree)
    for path in (retained_other(settings).path, settings.published):
        path.unlink()
        os.mkfifo(path)
    assert "published: the file is damaged" in wrong(settings)
    assert "the file is damaged or missing" in wrong(settings)
    publish(settings)
    assert published_build(settings) is not None


def test_two_manifests_that_were_exchanged_are_named_with_the_moves_that_put_them_right(tree: Path) -> None:
    settings = make_everything(tree)
    one, other = (build.path.with_suffix(".json") for build in (retained_other(settings), published(settings)))
    before = {path: path.read_bytes() for path in (one, other)}
    put(one, before[other])
    put(other, before[one])
    (finding,) = [line for line in examine_warehouse(settings) if "under the names of others" in line[1]]
    assert f"{one.name} as {other.name}" in finding[1]
    assert "delete" not in " ".join(fix for good, _, fix in examine_warehouse(settings) if not good and "manifest" in fix)
    subprocess.run(["sh", "-c", finding[2]], check=True)
    assert {path: path.read_bytes() for path in (one, other)} == before
    assert all(good for good, *_ in examine_warehouse(settings))


def test_an_older_build_under_the_names_of_the_published_one_is_named_and_the_published_file_not_called_damaged(
    tree: Path,
) -> None:
    settings = make_everything(tree)
    older_id, older, newer = retained_other(settings).build_id, retained_other(settings).path, published(settings).path
    for suffix in (".duckdb", ".json"):
        put(newer.with_suffix(suffix), older.with_suffix(suffix).read_bytes())
    with pytest.raises(PublishRefusedError, match=f"{newer.stem}.json states build {older_id}, not the one it is named after"):
        open_published(settings)
    assert f"{newer.stem}.json states build {older_id}, not the one it is named after" in wrong(settings)
    assert "damaged" not in wrong(settings)
    assert [build.path for build in retained_builds(settings)] == [older]
    publish(settings)
    assert published_build(settings) is not None


def test_a_file_that_a_later_version_published_is_not_replaced(tree: Path, edit: Callable[[str, str, str], Path]) -> None:
    settings = make_everything(tree)
    state(published(settings).path.with_suffix(".json"), format=FORMAT + 1)
    before = settings.published.read_bytes()
    edit("data/reference/facts.csv", "8.0", "9.0")
    for swap in (publish, rollback):
        with pytest.raises(ContentError, match="a later version of datamoat wrote"):
            swap(settings)
    assert settings.published.read_bytes() == before


@pytest.mark.parametrize("suffix", [".wal", ".wal.checkpoint", ".wal.recovery"])
def test_every_log_of_a_client_is_named_and_set_aside(tree: Path, suffix: str) -> None:
    settings = make_everything(tree)
    retained = retained_other(settings)
    for path in (settings.published, retained.path):
        path.with_name(path.name + suffix).write_bytes(b"edits")
    assert f"datamoat.duckdb{suffix}: edits of a client" in wrong(settings)
    assert f"retained build {retained.build_id}" in wrong(settings)
    publish(settings)
    assert not settings.published.with_name(settings.published.name + suffix).exists()


@pytest.mark.parametrize("code", sorted(NO_LOCKS))
def test_a_file_system_without_locks_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(PublishRefusedError, match="cannot lock files") as failure, one_writer(tmp_path / "data", "run"):
        pass
    assert "DATAMOAT_DATA" in failure.value.fix
    assert len(str(failure.value).splitlines()) == 3


WATCHED = """
import os, sys
content = sys.argv[1]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def watch(event, given):
    writes = event == "open" and isinstance(given[2], int) and given[2] & WRITES
    if writes or event in {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"}:
        for path in given[:2]:
            if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(content + os.sep):
                os.write(2, f"WROTE {event} {path}\\n".encode())
sys.addaudithook(watch)
sys.argv = ["datamoat", *sys.argv[2:]]
from datamoat.cli.app import main
main()
"""


def test_no_command_of_the_pipeline_writes_into_the_content_tree(tree: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "DATAMOAT_ROOT": str(tree), "DATAMOAT_DATA": str(tmp_path / "data")}
    for verb in (["check"], ["run"], ["export"], ["doctor"], ["query", "from marts.lab_volume"]):
        call = [sys.executable, "-c", WATCHED, str(tree), *verb]
        done = subprocess.run(call, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, [line for line in done.stderr.splitlines() if line.startswith("WROTE")]) == (0, []), verb
    assert list(tree.rglob("*.pyc")) == []
