"""Every flow, task by task, in one process: what it does, what it says, and when it fails."""

from typing import Any

import duckdb
import pytest

pytest.importorskip("airflow")
pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

DRIVE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
import airflow.settings
bag = DagBag(airflow.settings.DAGS_FOLDER)
assert not bag.import_errors, bag.import_errors
from sqlalchemy import select
from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
told = {}
for name in sys.argv[1:]:
    bag.dags[name].deadline = None  # 3.3.2's dag.test() asks its database for a deadline by its definition, and dies
    run = bag.dags[name].test()
    told[name] = {"state": str(run.state), "tasks": {ti.task_id: str(ti.state) for ti in run.get_task_instances()}}
with create_session() as session:
    rows = session.execute(select(AssetModel.name, AssetEvent.extra, AssetEvent.source_dag_id).join(
        AssetModel, AssetModel.id == AssetEvent.asset_id).order_by(AssetEvent.id)).all()
told["events"] = [[name, extra, dag] for name, extra, dag in rows]
print()
print(json.dumps(told))
"""


def run(world: Any, *names: str) -> Any:
    return world.python(DRIVE, *names)


def test_facts_lead_through_a_build_to_a_published_file_and_an_export(migrated: Any) -> None:
    told = run(migrated, "ingest__reference", "build_warehouse", "export_tables")
    assert {name: told[name]["state"] for name in ("ingest__reference", "build_warehouse", "export_tables")} == {
        "ingest__reference": "success", "build_warehouse": "success", "export_tables": "success",
    }  # fmt: skip
    with duckdb.connect(str(migrated.settings.published), read_only=True) as con:
        assert con.sql("select lab_id, uploads from marts.lab_volume order by 1").fetchall() == [("douyin", 5.0), ("tiktok", 7.0)]
        build_id = con.sql("select build_id from meta.build").fetchall()[0][0]
    events = {name: extra for name, extra, _ in told["events"]}
    assert events["raw__reference"]["n_rows"] == 2
    assert events["warehouse"]["build_id"] == build_id
    assert events["exported_tables"]["export"] == f"datamoat-{build_id}"
    assert (migrated.settings.exports / f"datamoat-{build_id}" / "datapackage.json").is_file()
