"""Every DAG, task by task, in one process: what it does, what it returns, and when it fails."""

import hashlib
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

pytest.importorskip("airflow")
pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

DRIVE = """
import json, sys
import airflow.settings
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(airflow.settings.DAGS_FOLDER)
assert not bag.import_errors, bag.import_errors
from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
from sqlalchemy import select
found = {"states": {}, "tasks": {}, "exceptions": []}
for word in sys.argv[1:]:
    name, _, parameters = word.partition(" ")
    bag.dags[name].deadline = None  # 3.3.2's dag.test() asks its database for a deadline by its definition, and dies
    run = bag.dags[name].test(run_conf=json.loads(parameters) if parameters else None)
    found["states"][name] = str(getattr(run.state, 'value', run.state))
    found["tasks"][name] = {ti.task_id: str(getattr(ti.state, 'value', ti.state)) for ti in run.get_task_instances()}
with create_session() as session:
    rows = session.execute(select(AssetModel.name, AssetEvent.extra).join(
        AssetModel, AssetModel.id == AssetEvent.asset_id).order_by(AssetEvent.id)).all()
found["events"] = {name: extra for name, extra in rows}
print()
print(json.dumps(found))
"""
NAMES = (
    "ingest__reference", "ingest__example_board", "ingest__example_models", "build_warehouse", "export_tables", "release",
    "watch_pages", "watch_state",
)  # fmt: skip


@pytest.fixture(scope="module")
def driven(migrated: Any) -> Any:
    """Run every DAG, in the order in which they trigger each other."""
    migrated.upstream.answer = migrated.listing()
    return migrated.python(DRIVE, *NAMES)


def test_every_dag_runs_through(driven: Any, migrated: Any) -> None:
    assert driven["states"] == dict.fromkeys(NAMES, "success")
    states = {(name, state) for tasks in driven["tasks"].values() for name, state in tasks.items()}
    assert {name for name, state in states if state == "skipped"} == {"open_decision"}  # nothing is in quarantine
    assert {state for _, state in states} == {"success", "skipped"}


def test_facts_lead_through_a_build_to_a_published_file_an_export_and_a_release(driven: Any, migrated: Any) -> None:
    with duckdb.connect(str(migrated.settings.published), read_only=True) as con:
        assert con.sql("select lab_id, uploads from marts.lab_volume order by 1").fetchall() == [("douyin", 5.0), ("tiktok", 7.0)]
        assert con.sql("select source_id, count(*) from marts.listed group by all order by 1").fetchall() == [
            ("example_board", 3), ("example_models", 3),
        ]  # fmt: skip
        build_id = con.sql("select build_id from meta.build").fetchall()[0][0]
    exports = migrated.settings.exports
    assert (exports / f"datamoat-{build_id}" / "datapackage.json").is_file()
    assert len(list((exports / "releases").glob("datamoat-*"))) == 1
    assert driven["events"]["dated_release"]["build_id"] == build_id


def test_events_carry_what_the_run_did(driven: Any) -> None:
    events = driven["events"]
    assert events["raw__reference"]["n_rows"] == 4
    landed = events["raw__example_board"]
    assert (landed["n_rows"], landed["statuses"], len(landed["snapshot_ids"])) == (3, {"ok": 1}, 1)
    assert events["warehouse"]["n_checks"] > 5
    assert events["warehouse"]["build_id"] == events["exported_tables"]["export"].removeprefix("datamoat-")


def test_what_is_published_already_triggers_no_build(driven: Any, migrated: Any) -> None:
    found = migrated.python(DRIVE, "ingest__reference", "ingest__example_board")
    assert found["tasks"] == {
        "ingest__reference": {"land": "skipped"},
        "ingest__example_board": {
            "fetch": "success",
            "land": "skipped",
            "undecided": "success",
            "open_decision": "skipped",
            "validate": "success",
            "all_good": "success",
        },
    }


def test_a_dry_run_sends_no_request_and_one_request_can_be_named(driven: Any, migrated: Any) -> None:
    asked = len(migrated.upstream.asked)
    found = migrated.python(DRIVE, 'ingest__example_board {"dry_run": true}')
    assert (found["states"]["ingest__example_board"], len(migrated.upstream.asked)) == ("success", asked)
    found = migrated.python(DRIVE, 'ingest__example_board {"request": "entries"}')
    assert (found["states"]["ingest__example_board"], len(migrated.upstream.asked)) == ("success", asked + 1)


def test_an_empty_response_fails_the_run_by_name_and_changes_nothing(
    driven: Any, migrated: Any, lists: Callable[..., None]
) -> None:
    before = hashlib.sha256(migrated.settings.published.read_bytes()).hexdigest()
    migrated.upstream.posted.clear()
    lists(0)
    found = migrated.python(DRIVE, "ingest__example_board")
    assert found["states"] == {"ingest__example_board": "failed"}
    assert found["tasks"]["ingest__example_board"] == {
        "fetch": "success", "land": "skipped", "undecided": "success", "open_decision": "skipped", "validate": "failed",
        "all_good": "upstream_failed",
    }  # fmt: skip
    assert hashlib.sha256(migrated.settings.published.read_bytes()).hexdigest() == before
    assert len(migrated.upstream.posted) == 1
    assert (
        "ingest__example_board failed in run" in migrated.upstream.posted[0]
    )  # the reason is in test_scheduler.py: here is no supervisor
