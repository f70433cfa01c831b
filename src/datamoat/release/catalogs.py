"""What a release states about its tables in the formats of data catalogues: OpenLineage, dbt's artefacts, and data contracts (ODCS).

Everything is read from the `meta` tables of the published file. `openlineage.ndjson` has one event a table, with the lineage of its
columns; `dbt/manifest.json` and `dbt/catalog.json` are what `dbt docs` shows; `odcs/` has one contract for each mart.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from datamoat.project.column_types import frictionless_type
from datamoat.storage.files import write_json, write_whole

SPEC = "https://openlineage.io/spec"
RUN_EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
DBT = "https://schemas.getdbt.com/dbt"
PACKAGE = "datamoat"
FOLDER = "catalogs"
ODCS_TYPES = {"any": "string", "datetime": "timestamp"}


@dataclass(frozen=True)
class Table:
    """A table of the build: a model, or an input that models read."""

    layer: str
    name: str
    description: str
    grain: tuple[str, ...]
    reads: tuple[str, ...]
    path: str
    sql: str
    columns: tuple[dict[str, Any], ...]

    @property
    def id(self) -> str:
        """Its name with its layer."""
        return f"{self.layer}.{self.name}"

    @property
    def unique_id(self) -> str:
        """Its name among dbt's resources."""
        return f"model.{PACKAGE}.{self.name}" if self.path else f"source.{PACKAGE}.{self.layer}.{self.name}"


@dataclass(frozen=True)
class Catalogue:
    """All tables of a build, and the lineage of their columns: (table, column) to the (table, column) each is computed from."""

    build_id: str
    as_of: str
    built_at: str
    tables: tuple[Table, ...]
    lineage: dict[tuple[str, str], list[tuple[str, str]]]


def read_catalogue(con: duckdb.DuckDBPyConnection) -> Catalogue:
    """Return what the `meta` tables of a published file state about its tables."""
    columns: dict[str, list[dict[str, Any]]] = {}
    relation = con.sql("select * from meta.columns order by layer, table_name, position")
    for row in relation.fetchall():
        one = dict(zip(relation.columns, row, strict=True))
        columns.setdefault(f"{one['layer']}.{one['table_name']}", []).append(one)
    models = [
        Table(layer, name, description, tuple(grain), tuple(reads), path, sql, tuple(columns.get(f"{layer}.{name}", ())))
        for layer, name, description, grain, reads, path, sql in con.sql(
            "select layer, table_name, description, grain, reads, path, model_text from meta.models order by layer, table_name"
        ).fetchall()
    ]
    known = {table.id for table in models}
    inputs = sorted({name for table in models for name in table.reads} - known)
    made = [
        Table(layer, name, "An input of the build.", (), (), "", "", ())
        for layer, _, name in (one.partition(".") for one in inputs)
    ]
    lineage: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for table, column, source, own in con.sql(
        "select layer || '.' || table_name, column_name, from_table, from_column from meta.lineage order by all"
    ).fetchall():
        lineage.setdefault((table, column), []).append((source, own))
    build_id, as_of, built_at = con.sql("select build_id, as_of, built_at from meta.build").fetchall()[0]
    return Catalogue(build_id, as_of.isoformat(), f"{built_at.isoformat()}Z", (*models, *made), lineage)


def write_catalogues(con: duckdb.DuckDBPyConnection, part: Path, licence: str) -> None:
    """Write all of it below `part`, in `catalogs/`.

    Args:
        con: A connection to the published file.
        part: The folder of the release.
        licence: Under what the tables may be used.
    """
    catalogue = read_catalogue(con)
    folder = part / FOLDER
    events = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in openlineage(catalogue))
    for name in ("dbt", "odcs"):
        (folder / name).mkdir(parents=True)
    write_whole(folder / "openlineage.ndjson", events.encode())
    write_json(folder / "dbt" / "manifest.json", dbt_manifest(catalogue))
    write_json(folder / "dbt" / "catalog.json", dbt_catalog(catalogue))
    for table in catalogue.tables:
        if table.layer == "marts":
            text = yaml.safe_dump(contract(catalogue, table, licence), sort_keys=False, allow_unicode=True, width=120)
            write_whole(folder / "odcs" / f"{table.name}.yaml", text.encode())


def openlineage(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Yield one OpenLineage event for each model, with the schema of its table and the lineage of its columns."""
    for table in catalogue.tables:
        if not table.path:
            continue
        fields, others = {}, set()
        for column in table.columns:
            sources = catalogue.lineage.get((table.id, column["column_name"]), [])
            others |= {name for name, own in sources if own == "*"}
            exact = [{"namespace": PACKAGE, "name": name, "field": own} for name, own in sources if own != "*"]
            if exact:
                fields[column["column_name"]] = {"inputFields": exact}
        whole = [{"namespace": PACKAGE, "name": name, "field": "*"} for name in sorted(others)]
        facets = {
            "schema": {
                **_facet("SchemaDatasetFacet", "1-2-0"),
                "fields": [
                    {
                        "name": c["column_name"],
                        "type": c["type"],
                        **({"description": c["description"]} if c["description"] else {}),
                    }
                    for c in table.columns
                ],
            },
            "columnLineage": {**_facet("ColumnLineageDatasetFacet", "1-2-0"), "fields": fields, "dataset": whole},
        }
        yield {
            "eventType": "COMPLETE",
            "eventTime": catalogue.built_at,
            "producer": f"urn:{PACKAGE}",
            "schemaURL": RUN_EVENT,
            "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:{PACKAGE}:{catalogue.build_id}:{table.id}"))},
            "job": {"namespace": PACKAGE, "name": table.id},
            "inputs": [{"namespace": PACKAGE, "name": name} for name in table.reads],
            "outputs": [{"namespace": PACKAGE, "name": table.id, "facets": facets}],
        }


def dbt_manifest(catalogue: Catalogue) -> dict[str, Any]:
    """Return the manifest of dbt 1.11, in which every model is a node and every input a source."""
    by_id = {table.id: table for table in catalogue.tables}
    nodes, sources = {}, {}
    parents: dict[str, list[str]] = {}
    for table in catalogue.tables:
        reads = [by_id[name].unique_id for name in table.reads]
        parents[table.unique_id] = reads
        shared = {
            "database": PACKAGE, "schema": table.layer, "name": table.name, "package_name": PACKAGE,
            "original_file_path": table.path or "inputs.yml", "path": table.path.removeprefix("transforms/") or "inputs.yml",
            "unique_id": table.unique_id, "description": table.description, "relation_name": f'"{table.layer}"."{table.name}"',
            "columns": {c["column_name"]: _dbt_column(c) for c in table.columns},
        }  # fmt: skip
        if table.path:
            nodes[table.unique_id] = {
                **shared, "resource_type": "model", "fqn": [PACKAGE, table.layer, table.name], "alias": table.name,
                "checksum": {"name": "none", "checksum": ""}, "raw_code": table.sql, "compiled_code": table.sql, "compiled": True,
                "language": "python" if table.path.endswith(".py") else "sql", "config": {"materialized": "table"},
                "depends_on": {"macros": [], "nodes": reads}, "primary_key": list(table.grain),
            }  # fmt: skip
        else:
            sources[table.unique_id] = {
                **shared, "resource_type": "source", "fqn": [PACKAGE, table.layer, table.name], "source_name": table.layer,
                "source_description": "", "loader": "", "identifier": table.name,
            }  # fmt: skip
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, reads in parents.items():
        for read in reads:
            children[read].append(name)
    empty: dict[str, Any] = dict.fromkeys(
        ("macros", "docs", "exposures", "metrics", "groups", "selectors", "disabled", "group_map", "saved_queries", "semantic_models", "unit_tests", "functions")
    )  # fmt: skip
    return {
        "metadata": {**_dbt_metadata(catalogue, "manifest/v12"), "project_name": PACKAGE, "adapter_type": "duckdb"},
        "nodes": nodes,
        "sources": sources,
        "parent_map": parents,
        "child_map": children,
        **{name: {} for name in empty},
    }


def dbt_catalog(catalogue: Catalogue) -> dict[str, Any]:
    """Return the catalogue of dbt 1.11: the columns of every table with their types."""
    found: dict[str, dict[str, Any]] = {"nodes": {}, "sources": {}}
    for table in catalogue.tables:
        found["nodes" if table.path else "sources"][table.unique_id] = {
            "unique_id": table.unique_id,
            "metadata": {
                "type": "BASE TABLE",
                "database": PACKAGE,
                "schema": table.layer,
                "name": table.name,
                "comment": table.description,
            },
            "columns": {
                c["column_name"]: {
                    "type": c["type"],
                    "index": c["position"],
                    "name": c["column_name"],
                    "comment": c["description"],
                }
                for c in table.columns
            },
            "stats": {},
        }
    return {"metadata": _dbt_metadata(catalogue, "catalog/v1"), **found, "errors": None}


def contract(catalogue: Catalogue, table: Table, licence: str) -> dict[str, Any]:
    """Return the data contract of a mart, in the Open Data Contract Standard 3.1.

    Args:
        catalogue: The build.
        table: The mart.
        licence: Under what it may be used.
    """
    keys = {name: place for place, name in enumerate(table.grain, start=1)}
    properties = []
    for column in table.columns:
        name, kind = column["column_name"], frictionless_type(column["type"])
        one: dict[str, Any] = {
            "name": name, "logicalType": ODCS_TYPES.get(kind, kind), "physicalType": column["type"],
            "required": not column["is_nullable"], "description": column["description"],
        }  # fmt: skip
        if kind == "array":
            one["items"] = {"logicalType": "string"}
        if name in keys:
            one |= {"primaryKey": True, "primaryKeyPosition": keys[name]}
        if column["unit"]:
            one["customProperties"] = [{"property": "unit", "value": column["unit"]}]
        if column["allowed_values"]:
            one["quality"] = [
                {
                    "type": "library",
                    "metric": "invalidValues",
                    "mustBe": 0,
                    "arguments": {"validValues": list(column["allowed_values"])},
                }
            ]
        properties.append(one)
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:{PACKAGE}:{table.name}",
        "name": table.name,
        "version": catalogue.build_id,
        "status": "active",
        "description": {"purpose": table.description, "usage": licence},
        "schema": [
            {
                "name": table.name, "physicalName": table.id, "logicalType": "object", "physicalType": "table",
                "description": table.description, "dataGranularityDescription": f"One row for each {', '.join(table.grain)}.",
                "properties": properties,
            }
        ],
    }  # fmt: skip


def _facet(name: str, version: str) -> dict[str, str]:
    return {"_producer": f"urn:{PACKAGE}", "_schemaURL": f"{SPEC}/facets/{version}/{name}.json#/$defs/{name}"}


def _dbt_column(column: dict[str, Any]) -> dict[str, Any]:
    meta = {"unit": column["unit"]} if column["unit"] else {}
    return {"name": column["column_name"], "description": column["description"] or "", "data_type": column["type"], "meta": meta}


def _dbt_metadata(catalogue: Catalogue, schema: str) -> dict[str, Any]:
    return {
        "dbt_schema_version": f"{DBT}/{schema}.json", "dbt_version": "1.11.16", "generated_at": catalogue.built_at,
        "invocation_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:{PACKAGE}:{catalogue.build_id}")), "env": {},
    }  # fmt: skip
