"""Nothing unaudited is published, readers are never locked out, and a fault leaves the last good file."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

import duckdb
import pytest

from datamoat.build import inputs
from datamoat.build.record import Build, read_build
from datamoat.build.run import build_models
from datamoat.errors import AuditFailedError, BusyError, PublishRefusedError, UsageError
from datamoat.ingest.decisions import COLUMNS, MIRROR, Choice, Decision, write_decision
from datamoat.project.read import read_project
from datamoat.publish import audit as auditing
from datamoat.publish import refresh as refreshing
from datamoat.publish import warehouse as publishing
from datamoat.publish.audit import audit_build
from datamoat.publish.diff import Difference, differences
from datamoat.publish.gx_worker import Worker
from datamoat.publish.results import Audit, Result
from datamoat.publish.warehouse import publish_warehouse, rollback
from datamoat.settings import Settings
from datamoat.storage.files import one_writer, write_whole
from datamoat.storage.lake import path_of
from datamoat.storage.snapshots import Snapshots
from datamoat.storage.warehouse import Published, open_published, published_build, retained_builds

Edit = Callable[[str, str, str], Path]
FACTS = "data/reference/facts.csv"
MART = "transforms/marts/volume/lab_volume.sql"


class NoWorker(Worker):
    """Contracts and checks alone: the suites of Great Expectations are tried once, below."""

    def __init__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def validate(self, jobs: list[dict[str, object]]) -> list[Result]:  # noqa: ARG002
        return []


def audited(settings: Settings) -> Audit:
    build_models(settings, read_project(settings.content))
    return audit_build(settings, read_project(settings.content), NoWorker())


def published(settings: Settings) -> Published:
    audited(settings)
    return publish_warehouse(settings, read_project(settings.content))


def uploads(path: Path) -> list[float]:
    with duckdb.connect(str(path), read_only=True) as con:
        return [row[0] for row in con.sql("select uploads from marts.lab_volume order by 1").fetchall()]


def test_g02_the_published_file_explains_itself(settings: Settings) -> None:
    path = published(settings).path
    with duckdb.connect(str(path), read_only=True) as con:
        bare_tables = con.sql("select table_name from duckdb_tables() where coalesce(comment, '') = ''").fetchall()
        bare = con.sql(
            "select table_name, column_name from duckdb_columns() where schema_name = 'marts' and coalesce(comment, '') = ''"
        ).fetchall()
        keys = con.sql("select table_name from duckdb_constraints() where constraint_type = 'PRIMARY KEY' order by 1").fetchall()
        assert bare_tables == []
        assert bare == []
        assert keys == [("lab_volume",), ("source_freshness",)]
        version = con.sql("select tags['storage_version'] from duckdb_databases() where not internal").fetchall()[0][0]
        assert version.startswith("v1.4")


def test_publishing_the_same_build_again_changes_nothing(settings: Settings) -> None:
    first = published(settings)
    stamp = first.path.stat().st_mtime_ns
    second = published(settings)
    assert (second.is_new, second.build_id) == (False, first.build_id)
    assert first.path.stat().st_mtime_ns == stamp


def test_a_reader_keeps_the_old_file_and_the_next_one_sees_the_new(settings: Settings, edit: Edit) -> None:
    published(settings)
    reader = subprocess.Popen(
        [
            sys.executable, "-c",
            ("import duckdb, sys\n"
            f"con = duckdb.connect({str(settings.published)!r}, read_only=True)\n"
            "print(con.sql('select max(uploads) from marts.lab_volume').fetchall()[0][0], flush=True)\n"
            "sys.stdin.readline()\n"
            "print(con.sql('select max(uploads) from marts.lab_volume').fetchall()[0][0], flush=True)\n"),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdout is not None
    assert reader.stdout.readline().strip() == "7.0"
    edit(FACTS, "7.0", "9.0")
    published(settings)
    answer, _ = reader.communicate("\n")
    assert answer.strip() == "7.0"
    assert uploads(settings.published) == [5.0, 9.0]


def test_the_last_three_builds_are_retained_and_one_can_go_back(settings: Settings, edit: Edit) -> None:
    ids = [published(settings).build_id]
    for old, new in (("7.0", "8.0"), ("8.0", "9.0"), ("9.0", "10.0")):
        edit(FACTS, old, new)
        ids.append(published(settings).build_id)
    assert [build.build_id for build in retained_builds(settings)] == ids[:0:-1]
    assert rollback(settings).build_id == ids[2]
    assert uploads(settings.published) == [5.0, 9.0]
    assert rollback(settings, ids[3]).build_id == ids[3]
    assert uploads(settings.published) == [5.0, 10.0]
    with pytest.raises(UsageError, match="is not retained"):
        rollback(settings, ids[0])


@pytest.mark.parametrize(
    ("name", "old", "new", "reported"),
    [
        (MART, "rows: {min: 1}", "rows: {min: 3}", "at least 3 rows"),
        (MART, "    uploads\n", "    nullif(uploads, 7.0) AS uploads\n", '"lab_id": "tiktok"'),
        (MART, "    lab_id,\n", "    'one' AS lab_id,\n", "lab_id is unique"),
        ("transforms/columns.yml", 'lab_id: {type: VARCHAR, description: "A lab, as a slug."}',
         'lab_id: {type: VARCHAR, description: "A lab, as a slug.", values: [douyin]}', "values that the dictionary lists"),
        ("expectations/checks/no_lab_is_nameless.sql", "lab_id = ''", "lab_id = 'tiktok'", '"lab_id": "tiktok"'),
    ],
)  # fmt: skip
def test_a_critical_check_that_fails_names_the_rows_and_stops_publication(
    settings: Settings, edit: Edit, name: str, old: str, new: str, reported: str
) -> None:
    published(settings)
    before = settings.published.read_bytes()
    edit(name, old, new)
    with pytest.raises(AuditFailedError) as failure:
        audited(settings)
    assert reported in str(failure.value)
    assert "why:" in str(failure.value)
    with pytest.raises(PublishRefusedError, match="failed"):
        publish_warehouse(settings, read_project(settings.content))
    assert settings.published.read_bytes() == before


def test_a_mart_that_becomes_empty_is_critical_and_a_lost_tenth_is_a_warning(settings: Settings, edit: Edit) -> None:
    published(settings)
    edit(MART, "rows: {min: 1}\n", "")
    edit(MART, "order by lab_id", "where lab_id = 'tiktok'\norder by lab_id")
    assert [result.check_name for result in audited(settings).warnings] == [
        "a tenth of the published rows does not vanish in one step"
    ]
    edit(MART, "'tiktok'", "'nobody'")
    with pytest.raises(AuditFailedError, match="does not become empty"):
        audited(settings)


def test_a_build_is_not_published_on_another_builds_audit(settings: Settings, edit: Edit) -> None:
    audited(settings)
    edit(FACTS, "7.0", "8.0")
    build_models(settings, read_project(settings.content))
    with pytest.raises(PublishRefusedError, match="the audit is of build"):
        publish_warehouse(settings, read_project(settings.content))


def test_a_build_that_was_never_audited_is_not_published(settings: Settings) -> None:
    build_models(settings, read_project(settings.content))
    with pytest.raises(AuditFailedError, match="was not audited"):
        publish_warehouse(settings, read_project(settings.content))


def test_a_build_is_not_published_on_an_audit_that_was_begun_again_and_did_not_end(settings: Settings) -> None:
    audited(settings)

    class Broken(NoWorker):
        def validate(self, *_: object) -> list[Result]:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        audit_build(settings, read_project(settings.content), Broken())
    with pytest.raises(AuditFailedError, match="was not audited"):
        publish_warehouse(settings, read_project(settings.content))


def test_great_expectations_names_the_offending_rows_in_a_worker(settings: Settings, edit: Edit) -> None:
    build_models(settings, read_project(settings.content))
    edit("expectations/marts/lab_volume.py", "min_value=0", "min_value=6")
    with Worker() as worker, pytest.raises(AuditFailedError) as failure:
        audit_build(settings, read_project(settings.content), worker)
    assert "'lab_id': 'douyin'" in str(failure.value).replace('"', "'")
    assert "Nobody uploads less than nothing." in str(failure.value)


def test_a_suite_gets_the_columns_it_checks_and_those_its_conditions_name(settings: Settings, edit: Edit) -> None:
    build_models(settings, read_project(settings.content))
    edit("expectations/marts/lab_volume.py", "ExpectColumnValues", "ExpectColumnMin")  # checks no row by itself
    edit("expectations/marts/lab_volume.py", "min_value=0", "min_value=6, row_condition=\"lab_id != 'douyin'\"")
    with Worker() as worker:
        results = audit_build(settings, read_project(settings.content), worker).results
    (checked,) = [one for one in results if one.kind == "expectation"]
    assert (checked.is_ok, "row_condition" in checked.check_name) == (True, True)


def test_what_was_written_is_compared_with_the_build_before_it_is_swapped_in(settings: Settings) -> None:
    published(settings)
    before = settings.published.read_bytes()
    rmtree(settings.warehouse / "builds")  # else the build retained under the same id is compared first
    build = read_build(settings.lake)
    tables = {**build.tables, "marts.lab_volume": {**build.tables["marts.lab_volume"], "content_hash": "2-00"}}
    Build(**{**build.__dict__, "tables": tables}).write(settings.lake / "build.json")
    with pytest.raises(PublishRefusedError, match="differs from the table that was built"):
        publish_warehouse(settings, read_project(settings.content))
    assert settings.published.read_bytes() == before


@pytest.mark.parametrize("call", ["replace", "copyfile"])
def test_d02_a_disk_that_refuses_leaves_the_published_file(
    settings: Settings, edit: Edit, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    published(settings)
    before = settings.published.read_bytes()
    edit(FACTS, "7.0", "8.0")
    audited(settings)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path if call == "replace" else publishing.shutil, call, refuse)
    with pytest.raises(PublishRefusedError, match="No space left on device"):
        publish_warehouse(settings, read_project(settings.content))
    monkeypatch.undo()
    assert settings.published.read_bytes() == before
    assert publish_warehouse(settings, read_project(settings.content)).is_new


def test_d03_a_full_disk_is_reported_and_what_was_published_stands(settings: Settings, edit: Edit) -> None:
    published(settings)
    before = settings.published.read_bytes()
    edit(FACTS, "7.0", "8.0")
    audited(settings)
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "from datamoat.settings import read_settings\n"
        "from datamoat.project.read import read_project\n"
        "from datamoat.publish.warehouse import publish_warehouse\n"
        "from datamoat.errors import PublishRefusedError\n"
        "s = read_settings()\n"
        "try:\n"
        "    publish_warehouse(s, read_project(s.content))\n"
        "except PublishRefusedError as failure:\n"
        "    print(failure.what)\n"
    )
    environment = {**os.environ, "DATAMOAT_ROOT": str(settings.content), "DATAMOAT_DATA": str(settings.data)}
    reported = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "could not write" in reported.stdout
    assert settings.published.read_bytes() == before


def test_d01_a_process_killed_at_any_moment_leaves_the_last_good_file(settings: Settings, edit: Edit) -> None:
    published(settings)
    environment = {**os.environ, "DATAMOAT_ROOT": str(settings.content), "DATAMOAT_DATA": str(settings.data)}
    code = (
        "from datamoat.settings import read_settings\n"
        "from datamoat.project.read import read_project\n"
        "from datamoat.storage.files import one_writer\n"
        "from datamoat.build.run import build_models\n"
        "from datamoat.publish.audit import audit_build\n"
        "from datamoat.publish.gx_worker import Worker\n"
        "from datamoat.publish.warehouse import publish_warehouse\n"
        "class NoWorker(Worker):\n"
        "    def __init__(self): pass\n"
        "    def __exit__(self, *_): pass\n"
        "    def validate(self, jobs): return []\n"
        "s = read_settings(); p = read_project(s.content)\n"
        "print('ready', flush=True)\n"
        "with one_writer(s.data, 'run'):\n"
        "    build_models(s, p); audit_build(s, p, NoWorker()); publish_warehouse(s, p)\n"
    )
    good = {5.0: True}
    for trial in range(12):
        value = f"{trial + 20}.0"
        edit(FACTS, "7.0" if trial == 0 else f"{trial + 19}.0", value)
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.04 * trial)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        build = published_build(settings)
        assert build is not None
        assert len(uploads(settings.published)) == 2
        assert uploads(settings.published)[0] in good
    with one_writer(settings.data, "test"):
        assert published(settings).is_new or uploads(settings.published)[1] == float(value)
    assert list(settings.data.rglob(".*.part*")) == []


def test_d07_two_writers_at_once_are_reported_apart(settings: Settings) -> None:
    with one_writer(settings.data, "run"):
        code = (
            "from pathlib import Path\nfrom datamoat.storage.files import one_writer\nfrom datamoat.errors import BusyError\n"
            f"try:\n    with one_writer(Path({str(settings.data)!r}), 'build'): print('in')\n"
            "except BusyError as failure: print(failure)\n"
        )
        reported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"another process is writing: run (pid {os.getpid()} on {socket.gethostname()} since" in reported
    assert "nothing was changed" in reported


def test_d08_the_lock_of_a_dead_process_is_free(settings: Settings) -> None:
    code = (
        "import os\nfrom pathlib import Path\nfrom datamoat.storage.files import one_writer\n"
        f"with one_writer(Path({str(settings.data)!r}), 'run'): os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    with one_writer(settings.data, "run"):
        pass
    assert issubclass(BusyError, Exception)


def test_d10_a_broken_published_file_is_reported_and_built_again(settings: Settings) -> None:
    published(settings)
    broken = settings.published.with_name("broken")
    broken.write_bytes(b"this is no database")
    broken.replace(settings.published)
    assert published_build(settings) is None
    with open_published(settings) as con:  # the retained copy
        assert con.sql("select max(uploads) from marts.lab_volume").fetchall() == [(7.0,)]
    assert published(settings).is_new
    assert uploads(settings.published) == [5.0, 7.0]
    (aside,) = (settings.warehouse / "set-aside").iterdir()
    assert aside.read_bytes() == b"this is no database"


def test_f11_a_query_reaches_nothing_but_the_published_file(settings: Settings, tmp_path: Path) -> None:
    published(settings)
    with open_published(settings) as con:
        for sql in (
            f"copy marts.lab_volume to '{tmp_path / 'out.csv'}'",
            "select * from read_csv('/etc/passwd')",
            f"attach '{tmp_path / 'x.duckdb'}' as x",
            "install httpfs",
            "set enable_external_access = true",
            "create table t as select 1",
            "select getenv('HOME')",
        ):
            with pytest.raises(duckdb.Error):
                con.sql(sql).fetchall() if con.sql(sql) is not None else None
    assert list(tmp_path.glob("*.csv")) == []


def test_a_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a" / "b.json"
    write_whole(path, b"one")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(PublishRefusedError, match="Input/output error"):
        write_whole(path, b"two")
    monkeypatch.undo()
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["b.json"]


def test_the_audit_is_recorded_and_published(settings: Settings) -> None:
    audit = audited(settings)
    known = json.loads((settings.lake / auditing.AUDIT_FILE).read_text())
    assert known["build_id"] == audit.build_id
    assert path_of(settings.lake, "meta.audits").is_file()


Touch = Callable[[Settings, Edit], object]
TOUCHED: dict[str, Touch] = {
    "a fact": lambda _, edit: edit(FACTS, "7.0", "8.0"),
    "a model": lambda _, edit: edit(MART, "    uploads\n", "    uploads * 2 AS uploads\n"),
    "a check": lambda _, edit: edit("expectations/checks/no_lab_is_nameless.sql", "lab_id = ''", "lab_id = '-'"),
    "an expectation": lambda _, edit: edit("expectations/marts/lab_volume.py", "min_value=0", "min_value=1"),
    "the dictionary": lambda _, edit: edit("transforms/columns.yml", "A lab, as a slug.", "The slug of a lab."),
    "a snapshot": lambda settings, _: Snapshots(settings.snapshots, "press").store(
        "page", b"new", retrieved_at=datetime(2026, 3, 1, tzinfo=UTC), url="https://example.org", route="http", extension="txt"
    ),
    "a decision about a quarantined snapshot": lambda settings, _: write_decision(
        settings, Decision("press/page/2026-03-01/0123456789ab", "", Choice.KEEP, datetime(2026, 3, 1, tzinfo=UTC), "ann", "old")
    ),
    "the mirror of the decisions": lambda settings, _: (
        (settings.reference / "quarantine").mkdir() or (settings.reference / MIRROR).write_text(",".join(COLUMNS) + "\n")
    ),
    "the published file": lambda settings, _: settings.published.unlink(),
    "a bit of the published file": lambda settings, _: replaced(settings.published, settings.published.read_bytes()[:-1] + b"\1"),
    "its manifest": lambda settings, _: next((settings.warehouse / "builds").glob("*.json")).unlink(),
}


def replaced(path: Path, body: bytes) -> None:
    """Replace a read-only file."""
    path.unlink()
    path.write_bytes(body)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of steps that a run takes from now on; none does anything."""
    taken: list[str] = []

    def take(name: str) -> Callable[..., None]:
        return lambda *_, **__: taken.append(name)

    for name in ("build_models", "audit_build", "publish_warehouse"):
        monkeypatch.setattr(refreshing, name, take(name))
    monkeypatch.setattr(refreshing, "Worker", NoWorker)
    return taken


def test_an_unchanged_run_compares_hashes_and_runs_nothing(settings: Settings, steps: list[str]) -> None:
    first = published(settings)
    stamp = settings.published.stat().st_mtime_ns
    again = refreshing.refresh(settings)
    assert (again.build_id, again.is_new, steps) == (first.build_id, False, [])
    assert settings.published.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("what", sorted(TOUCHED))
def test_a_run_does_its_steps_when_anything_it_is_a_function_of_has_changed(
    settings: Settings, edit: Edit, steps: list[str], what: str
) -> None:
    published(settings)
    TOUCHED[what](settings, edit)
    refreshing.refresh(settings)
    assert steps == ["build_models", "audit_build", "publish_warehouse"]


def test_a_run_as_of_a_day_is_another_run(settings: Settings, steps: list[str]) -> None:
    build = published(settings)
    refreshing.refresh(settings, build.as_of)
    assert steps == ["build_models", "audit_build", "publish_warehouse"]


def test_a_run_sees_a_change_of_the_engine_and_of_its_libraries(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = inputs.fingerprint(settings)
    monkeypatch.setattr(inputs, "versions", lambda: {"numpy": "0.0"})
    assert inputs.fingerprint(settings) != before
    monkeypatch.undo()
    (tmp_path / "engine").mkdir()
    monkeypatch.setattr(inputs, "package_folder", lambda _: tmp_path / "engine")
    empty = inputs.fingerprint(settings)
    (tmp_path / "engine" / "module.py").write_text("VALUE = 1\n")
    assert len({before, empty, inputs.fingerprint(settings)}) == 3


def test_a_run_is_the_same_in_whatever_order_a_system_lists_its_files(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inputs.fingerprint(settings)
    listed = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda path, pattern: sorted(listed(path, pattern), reverse=True))
    assert inputs.fingerprint(settings) == before


def test_a_publication_that_is_refused_is_not_retained_and_no_rollback_leads_to_it(
    settings: Settings, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = published(settings)
    edit(FACTS, "7.0", "8.0")
    second = published(settings)
    before = retained_builds(settings)

    def refuse(*_: object) -> None:
        raise BusyError("process 1 holds the published file", "here", "end it.")

    edit(FACTS, "8.0", "9.0")
    audited(settings)
    project = read_project(settings.content)
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "swap_in", refuse)
        with pytest.raises(BusyError):
            publish_warehouse(settings, project)
    assert retained_builds(settings) == before
    assert sorted((settings.warehouse / "builds").glob("*.duckdb")) == sorted(build.path for build in before)
    assert published_build(settings) == second
    assert rollback(settings) == first


def test_a_rollback_goes_to_an_earlier_build_also_where_a_later_one_is_retained(settings: Settings, edit: Edit) -> None:
    first = published(settings)
    edit(FACTS, "7.0", "8.0")
    second = published(settings)
    edit(FACTS, "8.0", "9.0")
    third = published(settings)
    assert rollback(settings) == second
    assert rollback(settings) == first
    assert rollback(settings, third.build_id) == third


def test_a_mart_that_was_added_or_removed_counts_all_its_rows() -> None:
    with duckdb.connect() as con:
        for side, name, n in (("before", "gone", 3), ("after", "come", 2)):
            con.execute(f"attach ':memory:' as {side}; create schema {side}.marts; create schema {side}.meta")
            con.execute(f"create table {side}.marts.{name} as select range as k from range({n})")
            con.execute(f"create table {side}.meta.models as select 'marts' as layer, '{name}' as table_name, ['k'] as grain")
        come, gone = differences(con)
    assert come == Difference("come", 0, 2, 2, 0, 0, {})
    assert gone == Difference("gone", 3, 0, 0, 3, 0, {})
