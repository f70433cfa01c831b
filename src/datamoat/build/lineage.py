"""Which column is computed from which."""

import hashlib
import json
from pathlib import Path

import polars as pl

from datamoat.project.model import Model, Project
from datamoat.storage.lake import JsonCache

EDGE = ("layer", "table_name", "column_name", "from_table", "from_column")


def lineage(project: Project, found: dict[str, dict[str, str]], lake: Path) -> pl.DataFrame:
    """Return the edges from column to column; read by sqlglot once for each state of the SQL, then cached.

    Args:
        project: The content tree.
        found: Name and type of the columns of each table, by its id.
        lake: Where the cache is.
    """
    digest = hashlib.sha256(json.dumps([found, [m.text for m in project.models]]).encode()).hexdigest()
    cache = JsonCache(lake / "cache" / "lineage.json")
    edges = cache.get(digest, lambda: sorted({edge for model in project.models for edge in _edges(model, found)}))
    cache.save()
    return pl.DataFrame([dict(zip(EDGE, edge, strict=True)) for edge in edges])


def _edges(model: Model, found: dict[str, dict[str, str]]) -> list[tuple[str, str, str, str, str]]:
    """Return the lineage of one model's columns; where SQL cannot tell, every table it reads, as `*`."""
    everything = [(read, "*") for read in model.reads]
    known = _roots(model.text, found) if model.is_sql else {}
    return [
        (table.layer, table.name, column, from_table, from_column)
        for table in model.tables
        for column in found[table.id]
        for from_table, from_column in known.get(column, everything)
    ]


def _roots(sql: str, found: dict[str, dict[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Return, for each output column of a SELECT, the columns it is computed from; empty where sqlglot cannot tell."""
    from sqlglot import errors, exp
    from sqlglot import lineage as sqlglot_lineage  # 0.4 s, and only when the SQL changed

    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table_id, columns in found.items():
        layer, name = table_id.split(".")
        schema.setdefault(layer, {})[name] = columns
    try:
        by_column = sqlglot_lineage.lineage(None, sql, schema=schema, dialect="duckdb", trim_selects=False)
    except (errors.SqlglotError, ValueError, KeyError, AttributeError):
        return {}
    return {
        column: sorted(
            {
                (f"{leaf.expression.db}.{leaf.expression.name}", leaf.name.split(".")[-1].strip('"'))
                for leaf in node.walk()
                if not leaf.downstream and isinstance(leaf.expression, exp.Table)
            }
        )
        for column, node in by_column.items()
    }
