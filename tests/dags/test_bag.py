"""The DAG files: which DAGs there are, that they import without an error, and that importing them is light."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datamoat.orchestration import schedule
from datamoat.project.sources import read_sources

pytest.importorskip("airflow")
pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
HEAVY = ("duckdb", "polars", "pandas", "pyarrow", "numpy", "scipy", "great_expectations", "httpx2", "sqlglot")
READ = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from airflow.dag_processing.dagbag import DagBag
    bag = DagBag(sys.argv[1])
found = {
    "errors": bag.import_errors,
    "heavy": sorted({name.split(".")[0] for name in sys.modules} & set(json.loads(sys.argv[2]))),
    "ours": sorted({name for name in sys.modules if name.startswith("datamoat.")}),
    "warnings": sorted({f"{w.category.__name__}: {w.message}" for w in caught
                        if "/dags/" in w.filename or "airflow" in w.category.__module__.lower()}),
    "dags": {
        name: {
            "tags": sorted(dag.tags), "doc": (dag.doc_md or "").strip(), "file": dag.fileloc, "runs": dag.max_active_runs,
            "off": dag.is_paused_upon_creation, "deadline": dag.deadline is not None, "alert": bool(dag.on_failure_callback), "when": dag.timetable.__class__.__name__,
            "tasks": {task.task_id: {
                "pool": task.pool, "doc": task.doc_md, "retries": task.retries, "policy": task.retry_policy is not None,
                "alert": bool(task.on_failure_callback), "outlets": [one.name for one in task.outlets],
            } for task in dag.tasks},
        } for name, dag in bag.dags.items()
    },
}
print()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def bag(checkout: Path, world: Any) -> Any:
    environment = {**world.environment, "DATAMOAT_ROOT": str(checkout)}
    call = [sys.executable, "-c", READ, str(checkout / "dags"), json.dumps(HEAVY)]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False, cwd=world.content, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_there_is_one_dag_for_each_source_and_nine_more(bag: Any, checkout: Path) -> None:
    sources = {f"ingest__{source.id}" for source in read_sources(checkout)}
    more = {"ingest__reference", "build_warehouse", "export_tables", "release", "watch_pages", "watch_state", "list_captures", "land_capture", "quarantine"}  # fmt: skip
    assert bag["errors"] == {}
    assert set(bag["dags"]) == sources | more


def test_importing_the_dags_loads_nothing_heavy(bag: Any) -> None:
    assert bag["heavy"] == []
    light = {
        "errors",
        "log",
        "orchestration.notify",
        "orchestration.schedule",
        "project.check_models",
        "project.column_types",
        "project.part",
        "project.sources",
        "project.texts",
        "project.yaml_files",
        "settings",
    }
    packages = {"orchestration", "project"}
    assert {name.removeprefix("datamoat.") for name in bag["ours"]} == light | packages


def test_importing_the_dags_makes_airflow_warn_of_nothing(bag: Any) -> None:
    assert bag["warnings"] == []


def test_dag_files_are_short_and_import_nothing_but_the_sdk_and_the_light_parts(checkout: Path) -> None:
    for path in (checkout / "dags").glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 80, path.name
        imported = [line for line in lines if line.startswith(("import ", "from "))]
        assert all(line.split()[1].split(".")[0] in {"airflow", "datamoat", "datetime"} for line in imported), path.name


def test_every_source_is_tagged_by_what_it_is_about(bag: Any, checkout: Path) -> None:
    kinds = {f"ingest__{source.id}": [source.kind] for source in read_sources(checkout)}
    assert {name: dag["tags"] for name, dag in bag["dags"].items() if name in kinds} == kinds
    assert {"platform-statistics", "model-releases", "leaderboards", "streamed"} == {
        tag for tags in kinds.values() for tag in tags
    }


def test_dags_that_send_requests_are_paused_until_a_person_switches_them_on(bag: Any, checkout: Path) -> None:
    asks = {f"ingest__{source.id}" for source in read_sources(checkout) if source.fetch.protocol != "inbox"} | {"watch_pages"}
    assert {name for name, dag in bag["dags"].items() if dag["off"]} == asks


def test_every_dag_and_task_has_a_description_and_a_failed_run_sends_an_alert(bag: Any) -> None:
    for name, dag in bag["dags"].items():
        assert len(dag["doc"]) > 40, name
        assert dag["deadline"] or name == "quarantine", name
        assert dag["alert"], name
        for task_id, task in dag["tasks"].items():
            assert task["alert"], (name, task_id)
            assert task["policy"], (name, task_id)
            assert task["doc"], (name, task_id)


def test_every_task_that_writes_tables_has_the_one_slot_and_every_pool_is_made(bag: Any, checkout: Path) -> None:
    tasks = [(task_id, task["pool"]) for dag in bag["dags"].values() for task_id, task in dag["tasks"].items()]
    writes = {"build", "audit", "publish", "export", "export_release"}
    assert {pool for task_id, pool in tasks if task_id in writes} == {schedule.WRITER}
    assert {pool for task_id, pool in tasks if task_id in {"land", "record"}} == {schedule.LANDING}
    known = schedule.pools(read_sources(checkout))
    assert {pool for _, pool in tasks} - {"default_pool"} == set(known)
    assert {name: entry["slots"] for name, entry in known.items() if entry["slots"] != 1} == {schedule.PARTS: 2}


def test_sources_of_one_host_share_a_pool_and_not_all_start_in_the_same_minute(checkout: Path) -> None:
    asked = [source for source in read_sources(checkout) if source.fetch.protocol != "inbox"]
    by_host: dict[str, set[str]] = {}
    for source in asked:
        by_host.setdefault(source.fetch.hosts[0], set()).add(schedule.pool(source))
    assert {len(pools) for pools in by_host.values()} == {1}
    assert len({schedule.cron(source).split()[0] for source in asked}) > len(asked) / 2
