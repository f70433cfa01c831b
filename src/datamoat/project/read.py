"""The content tree, read into one frozen `Project`; runs nothing.

A model is a file, its path is its name, and what it reads is in its text: DuckDB's own parser gives the tables of a
SQL model, the parameters of `model()` those of a Polars model. Nothing is recorded twice.
"""

import hashlib
import re
from pathlib import Path

from datamoat.errors import ContentError
from datamoat.project.graph import in_graph_order
from datamoat.project.model import Column, Model, Project
from datamoat.project.python_models import read_polars_model
from datamoat.project.sql import read_snippet, reads_of_sql, split_header, table_from_header
from datamoat.project.units import check_units
from datamoat.project.yaml_files import read_yaml

NAME = re.compile(r"[a-z][a-z0-9_]*")
BUILD_FILE = "transforms/build.yml"


def read_project(content: Path) -> Project:
    """Read and cross-check the content tree.

    Raises:
        ContentError: A file is malformed, two share a name, or a model reads what it may not.
    """
    transforms = content / "transforms"
    models = [read_model(path, transforms) for path in _model_files(transforms)]
    for path in sorted(transforms.rglob("*.sql")) + sorted(transforms.rglob("*.py")):
        if path.parent.name == "sample" or path.name in {"parse.py", "ask.py", "counts.sql"} or path.parts[-2] == "macros":
            continue
        if not any(model.path == path for model in models):
            raise ContentError(
                f"{path.name} is in no layer",
                str(path),
                "move it to staging/<source>/, intermediate/<subject>/ or marts/<group>/.",
            )
    project = Project(
        content=content,
        models=in_graph_order(models),
        columns=read_columns(transforms / "columns.yml"),
        macros=tuple(read_snippet(path, {"description"}) for path in sorted((transforms / "macros").glob("*.sql"))),
        checks=tuple(
            read_snippet(path, {"description", "severity"})
            for path in sorted((content / "expectations" / "checks").glob("*.sql"))
        ),
        expectations=tuple(
            path for layer in ("intermediate", "marts") for path in sorted((content / "expectations" / layer).glob("*.py"))
        ),
        build=read_yaml(content / BUILD_FILE),
    )
    for model in project.models:
        if model.is_sql:
            check_units(model.text, model.path, project.columns)
    for path in project.expectations:
        if f"{path.parent.name}.{path.stem}" not in project.tables:
            raise ContentError(
                f"expectations for {path.parent.name}.{path.stem}, which no model builds",
                str(path),
                "rename the file after the table, or delete it.",
            )
    return project


def read_columns(path: Path) -> dict[str, Column]:
    """Return the dictionary of columns by name."""
    columns = {}
    for name, entry in read_yaml(path).items():
        unknown = set(entry) - {"type", "unit", "description", "values"} if isinstance(entry, dict) else {"(not a mapping)"}
        if unknown or not {"type", "description"} <= set(entry):
            raise ContentError(
                f"column {name!r} needs type and description, and may have unit and values; found {sorted(map(str, entry))}",
                str(path),
                f"write `{name}: {{type: DOUBLE, unit: hours, description: …}}`.",
            )
        columns[name] = Column(
            name, str(entry["type"]), str(entry["description"]), entry.get("unit"), tuple(map(str, entry.get("values") or ()))
        )
    return columns


def read_model(path: Path, transforms: Path) -> Model:
    """Return one model; its layer and name come from its path, what it reads from its text."""
    layer = path.relative_to(transforms).parts[0]
    prefix = {"staging": f"stg_{path.parent.name}__", "intermediate": "int_", "marts": ""}[layer]
    if not NAME.fullmatch(path.stem) or not path.stem.startswith(prefix):
        raise ContentError(
            f"{path.stem!r} is not a valid model name in {layer}", str(path), f"call it {prefix}<what>, in snake case."
        )
    if path.suffix == ".sql":
        header, sql = split_header(path)
        if not sql.rstrip().endswith(";"):
            tables = (table_from_header(path.stem, layer, header, path),)
            constants = ("as_of",) if "getvariable" in sql else ()
            reads = tuple(sorted(reads_of_sql(sql, path)))
            return Model(path.stem, layer, path, True, sql, reads, tables, header.get("cache") is True, constants)
        raise ContentError("a model is one SELECT without a semicolon", str(path), "remove the semicolon.")
    return read_polars_model(path, layer)


def content_hash(project: Project) -> str:
    """Return a hash of everything in the content tree that can change a number."""
    digest = hashlib.sha256()
    words = (project.content / "transforms" / "columns.yml", project.content / BUILD_FILE)
    for path in (*(model.path for model in project.models), *(macro.path for macro in project.macros), *words):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _model_files(transforms: Path) -> list[Path]:
    """Return the files that are models."""
    staging = transforms.glob("staging/*/stg_*.sql")
    intermediate = [path for ext in ("sql", "py") for path in transforms.glob(f"intermediate/*/int_*.{ext}")]
    return sorted([*staging, *intermediate, *transforms.glob("marts/*/*.sql")])
