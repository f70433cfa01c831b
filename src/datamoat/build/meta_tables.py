"""The `meta` tables: what the warehouse states about itself."""

import json
from datetime import datetime
from typing import Any

import polars as pl

from datamoat.build.record import Build
from datamoat.project.model import Project
from datamoat.project.reference import ReferenceTable
from datamoat.project.sources import EVERY_DAYS, Source

SNAPSHOTS: dict[str, Any] = {
    "snapshot_id": pl.String, "source_id": pl.String, "request": pl.String, "captured_on": pl.Date,
    "retrieved_at": pl.Datetime("us"), "validation_status": pl.String, "is_served": pl.Boolean, "reason": pl.String,
    "n_rows": pl.Int64, "n_bytes": pl.Int64, "sha256": pl.String, "url": pl.String, "decision": pl.String,
    "decided_at": pl.Datetime("us"), "decided_by": pl.String, "decision_reason": pl.String,
}  # fmt: skip
SOURCES: dict[str, Any] = {
    "source_id": pl.String, "title": pl.String, "publisher": pl.String, "licence": pl.String, "licence_url": pl.String,
    "attribution": pl.String, "url": pl.String, "fetch_protocol": pl.String, "expected_every": pl.String, "expected_days": pl.Int64,
    "about": pl.String, "gaps": pl.List(pl.String), "may_plot": pl.String, "may_redistribute": pl.String, "must_credit": pl.String,
    "terms_basis": pl.String,
}  # fmt: skip
GLOSSARY = ("term", "definition", "synonyms", "chinese", "used_in")
META_TABLES = {
    "models": "Every table of the build: what a row is, what it reads, how it is made.",
    "columns": "Every column of every table, with type, unit and description.",
    "sources": "Every publisher's data product that data were taken from, with its terms and the line that credits it.",
    "snapshots": "Every response of an upstream and every reference file, with its hash, its validation status and what a person decided about it.",
    "citations": "Every page a fact was read from.",
    "assumptions": "Every number we chose, with its range and reason.",
    "glossary": "Every term this project uses, with its definition, other names and Chinese term.",
    "lineage": "Which column is computed from which; `*` where a program, not SQL, makes the table.",
    "inputs": "The hash of everything this build is a function of.",
    "input_rows": "Every reference row by its key, with a hash: what `change` compares between two builds.",
    "build": "This build in one row.",
    "audits": "Every check that was run before this file was published, and whether it passed.",
}


def input_tables(
    sources: tuple[Source, ...], landings: list[dict[str, Any]], facts: tuple[ReferenceTable, ...]
) -> dict[str, pl.DataFrame]:
    """Return the tables of `meta` that are known before a model runs: sources, snapshots, and three files of reference facts."""
    frames = {fact.name: fact.frame for fact in facts}
    own = [
        {
            "snapshot_id": f"reference/{fact.name}/{fact.sha256[:12]}", "source_id": "reference", "request": fact.name,
            "captured_on": None, "retrieved_at": None, "validation_status": "ok", "is_served": True, "reason": None,
            "n_rows": fact.frame.height, "n_bytes": fact.n_bytes, "sha256": fact.sha256, "url": None,
        }
        for fact in facts
    ]  # fmt: skip
    snapshots = pl.DataFrame(
        [{key: _utc(row.get(key)) for key in SNAPSHOTS} for row in [*own, *landings]], schema=SNAPSHOTS, orient="row"
    )
    live = pl.DataFrame(
        [
            {
                "source_id": source.id,
                "title": source.title,
                "publisher": source.publisher.name,
                "licence": source.licence.name,
                "licence_url": source.licence.url,
                **source.licence.model_dump(
                    include={"attribution", "may_plot", "may_redistribute", "must_credit", "terms_basis"}
                ),
                "url": source.publisher.url,
                "fetch_protocol": source.fetch.protocol,
                "expected_every": source.fetch.every,
                "expected_days": EVERY_DAYS[source.fetch.every],
                "about": " ".join(source.about.split()),
                "gaps": list(source.gaps),
            }
            for source in sources
        ],
        schema=SOURCES,
        orient="row",
    )
    known = frames.get("sources", pl.DataFrame(schema={name: SOURCES[name] for name in ("source_id", "title")}))
    terms = known.with_columns(fetch_protocol=pl.lit("reference"))
    return {
        "sources": pl.concat([terms, live], how="diagonal").select(list(SOURCES)).sort("source_id"),
        "snapshots": snapshots.sort("source_id", "request", "captured_on", "snapshot_id"),
        "citations": frames.get("citations", pl.DataFrame(schema={"citation_id": pl.String})),
        "assumptions": frames.get("assumptions", pl.DataFrame(schema={"assumption_id": pl.String})),
        "glossary": frames.get("glossary", pl.DataFrame(schema=dict.fromkeys(GLOSSARY, pl.String))).with_columns(
            pl.col("synonyms", "used_in").str.split(";")
        ),
    }


def output_tables(project: Project, build: Build, found: dict[str, dict[str, str]]) -> dict[str, pl.DataFrame]:
    """Return `meta.models`, `meta.columns`, `meta.inputs` and `meta.build`: known when all models ran.

    Args:
        project: The content tree.
        build: What was built.
        found: Name and type of the columns of each table, by its id.
    """
    models = [
        {
            "table_name": table.name,
            "layer": table.layer,
            "description": table.description,
            "grain": list(table.grain),
            "caveats": list(table.caveats),
            "reads": list(model.reads),
            "n_rows": build.tables[table.id]["n_rows"],
            "content_hash": build.tables[table.id].get("content_hash"),
            "path": model.path.relative_to(project.content).as_posix(),
            "model_text": model.text,
        }
        for model in project.models
        for table in model.tables
    ]
    columns = [
        {
            "table_name": table.name,
            "layer": table.layer,
            "position": position,
            "column_name": name,
            "type": kind,
            "unit": project.columns[name].unit,
            "description": project.columns[name].description,
            "allowed_values": list(project.columns[name].values),
            "is_key": name in table.grain,
            "is_nullable": name in table.nullable,
        }
        for table in project.tables.values()
        for position, (name, kind) in enumerate(found[table.id].items(), start=1)
    ]
    facts = {
        "build_id": build.build_id,
        "as_of": build.as_of,
        "built_at": build.built_at.replace(tzinfo=None),
        "engine_version": build.inputs["engine"],
        "duckdb_version": build.inputs["duckdb"],
        "settings": json.dumps(build.settings, sort_keys=True),
    }
    return {
        "models": pl.DataFrame(models, infer_schema_length=None).sort("layer", "table_name"),
        "columns": pl.DataFrame(columns, infer_schema_length=None).sort("layer", "table_name", "position"),
        "inputs": pl.DataFrame([{"input": key, "sha256": value} for key, value in sorted(build.inputs.items())]),
        "build": pl.DataFrame([facts]),
    }


def _utc(value: object) -> object:
    """Return a timestamp without its zone, which is UTC throughout."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
