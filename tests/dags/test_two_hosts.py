"""Two workers that share no disk but a bucket: one fetches, one has the lake, and the result is that of one process."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytest.importorskip("airflow")
psutil = pytest.importorskip("psutil")  # Airflow brings it
pytest.importorskip("s3fs")
pytest.importorskip("moto")
from faults import write_sources  # noqa: E402
from stack import WORKERS, Stack, alone, exported, services  # noqa: E402

pytestmark = [pytest.mark.celery, pytest.mark.xdist_group("airflow")]
WRITER, FETCHER = WORKERS
SERVER = Path(__file__).parents[1] / "hosts" / "s3_server.py"
SOURCES = ("example_board", "example_models")


@pytest.fixture(scope="module")
def bucket() -> Iterator[int]:
    """Run moto's S3 server on loopback; return its port."""
    process = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def hosts(world: Any, bucket: int, api_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    write_sources(world)
    store = {
        "DATAMOAT_STORE": "s3://shared/production", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{bucket}", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "only-here", "AWS_SECRET_ACCESS_KEY": "only-here",
    }  # fmt: skip
    more = {}
    for name, queues in ((WRITER, "writer"), (FETCHER, "default")):
        folder = tmp_path_factory.mktemp(name)
        more[name] = {**store, "DATAMOAT_DATA": str(folder), "AIRFLOW_HOME": str(folder / "airflow"), "QUEUES": queues}
    with services(world, api_of, tmp_path_factory.mktemp("stack"), more, (bucket,)) as made:
        yield made


def data(hosts: Stack, name: str) -> Path:
    return Path(hosts.data(name))


def export_of(hosts: Stack, n_rows: int) -> Path | None:
    """Return the folder of the export of what is published, as soon as that has a number of rows and nothing runs."""
    published = data(hosts, WRITER) / "warehouse" / "datamoat.duckdb"
    if not published.is_file() or not hosts.is_idle():
        return None
    with duckdb.connect(str(published), read_only=True) as con:
        n, build_id = con.sql("select (select count(*) from marts.listed), build_id from meta.build").fetchall()[0]
    folder = data(hosts, WRITER) / "exports" / f"datamoat-{build_id}"
    return folder if n == n_rows and (folder / "datapackage.json").is_file() else None


def ran_on(hosts: Stack, *dags: str) -> dict[str, set[str]]:
    """Return the hosts that the tasks of DAGs ran on."""
    found: dict[str, set[str]] = {}
    for dag in dags:
        for run in hosts.call(f"dags/{dag}/dagRuns")["dag_runs"]:
            for task in hosts.call(f"dags/{dag}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]:
                if task["hostname"]:
                    found.setdefault(task["task_id"], set()).add(task["hostname"])
    return found


def test_two_workers_with_a_disk_each_and_a_bucket_give_what_one_process_gives(hosts: Stack) -> None:
    for source in SOURCES:
        hosts.switch(f"ingest__{source}", is_on=True)
    folder = hosts.until("both sources are built and exported", lambda: export_of(hosts, 6))
    ran = ran_on(hosts, *(f"ingest__{source}" for source in SOURCES), "build_warehouse", "export_tables")
    assert ran.pop("fetch") == {FETCHER}
    assert {host for on in ran.values() for host in on} == {WRITER}
    assert {"land", "validate", "build", "audit", "publish", "export"} <= set(ran)
    assert not (data(hosts, FETCHER) / "lake").exists()
    assert not (hosts.world.data / "snapshots").exists(), "the folder of the scheduler has no part in it"
    assert alone(hosts.world, data(hosts, WRITER) / "snapshots", hosts.folder / "alone") == exported(folder) != {}


def test_the_pages_show_the_log_of_a_task_that_ran_on_another_host(hosts: Stack) -> None:
    (run, *_) = hosts.call("dags/build_warehouse/dagRuns")["dag_runs"]
    log = hosts.call(f"dags/build_warehouse/dagRuns/{run['dag_run_id']}/taskInstances/build/logs/1?full_content=true")
    assert "marts.listed" in str(log)


def test_a_worker_that_is_killed_with_its_host_in_the_middle_of_a_build_changes_nothing_of_the_result(hosts: Stack) -> None:
    with hosts.build_that_waits("youtube,9.0,2026-06-01"):
        hosts.until("a build is under way", lambda: hosts.builder(set(), data(hosts, WRITER)))
        worker = hosts.running.pop(WRITER)
        for process in (psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)):
            process.kill()
        worker.wait(30)
    before = len(hosts.call("dags/build_warehouse/dagRuns?state=success")["dag_runs"])
    hosts.start(WRITER)
    hosts.until("it was built again", lambda: len(hosts.call("dags/build_warehouse/dagRuns?state=success")["dag_runs"]) > before)
    folder = hosts.until("it is exported", lambda: export_of(hosts, 6))
    shutil.rmtree(hosts.folder / "alone")
    assert alone(hosts.world, data(hosts, WRITER) / "snapshots", hosts.folder / "alone") == exported(folder)


def test_without_the_bucket_the_two_disks_are_one_alert_that_names_both_hosts(hosts: Stack) -> None:
    for name in WORKERS:
        worker = hosts.running.pop(name)
        worker.terminate()
        worker.wait(60)
        del hosts.more[name]["DATAMOAT_STORE"]
        hosts.start(name)
    hosts.world.upstream.answer = hosts.world.listing(3, 0.5)
    assert hosts.new_alerts() == []
    hosts.trigger("ingest__example_board")
    alert = hosts.one_alert("split_disks", time.monotonic())
    assert all(name in alert for name in ("land", *WORKERS, "set DATAMOAT_STORE to one bucket"))
