"""Read a release's catalogs with the readers of their formats; run with the libraries of the group `catalogs`, prints counts."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from dbt.artifacts.schemas.catalog import CatalogArtifact
from dbt.artifacts.schemas.manifest.v12.manifest import WritableManifest
from open_data_contract_standard.model import OpenDataContractStandard
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import column_lineage_dataset as lineage
from openlineage.client.facet_v2 import schema_dataset as schema
from openlineage.client.serde import Serde


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_empty(one) for key, one in value.items() if one not in (None, {}, [])}
    return [without_empty(one) for one in value] if isinstance(value, list) else value


def event_again(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event made of the client's own classes, which check it, and written by the client."""
    (output,) = event["outputs"]
    facets = output["facets"]
    columns = facets["columnLineage"]
    made = RunEvent(
        eventType=RunState(event["eventType"]),
        eventTime=event["eventTime"],
        run=Run(**event["run"]),
        job=Job(**event["job"]),
        producer=event["producer"],
        inputs=[InputDataset(**one) for one in event["inputs"]],
        outputs=[
            OutputDataset(
                namespace=output["namespace"],
                name=output["name"],
                facets={
                    "schema": schema.SchemaDatasetFacet(
                        fields=[schema.SchemaDatasetFacetFields(**one) for one in facets["schema"]["fields"]],
                        producer=event["producer"],
                    ),
                    "columnLineage": lineage.ColumnLineageDatasetFacet(
                        fields={
                            name: lineage.Fields(inputFields=[lineage.InputField(**field) for field in one["inputFields"]])
                            for name, one in columns["fields"].items()
                        },
                        dataset=[lineage.InputField(**field) for field in columns["dataset"]],
                        producer=event["producer"],
                    ),
                },
            )
        ],
    )
    return json.loads(Serde.to_json(made))


def main(folder: Path) -> None:
    manifest = WritableManifest.read_and_check_versions(str(folder / "dbt" / "manifest.json"))
    catalog = CatalogArtifact.read_and_check_versions(str(folder / "dbt" / "catalog.json"))
    assert set(manifest.nodes) == set(catalog.nodes)
    assert set(manifest.parent_map) == {*manifest.nodes, *manifest.sources} == set(manifest.child_map)
    events = [json.loads(line) for line in (folder / "openlineage.ndjson").read_text(encoding="utf-8").splitlines()]
    for event in events:
        assert without_empty(event_again(event)) == without_empty(event), event["job"]
    rules = json.loads(OpenDataContractStandard.json_schema())
    validator = jsonschema.validators.validator_for(rules)(rules)
    contracts = sorted((folder / "odcs").glob("*.yaml"))
    for path in contracts:
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        OpenDataContractStandard.from_file(str(path))
    print(  # noqa: T201
        json.dumps(
            {"nodes": len(manifest.nodes), "sources": len(manifest.sources), "events": len(events), "contracts": len(contracts)}
        )
    )


main(Path(sys.argv[1]))
