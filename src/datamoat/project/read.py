"""The content tree, read into one frozen `Project`; runs nothing.

A model is a file, its path is its name, and what it reads is in its text: DuckDB's own parser gives the tables of a
SQL model, the parameters of `model()` those of a Polars model. Nothing is recorded twice.
"""

import ast
import functools
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from datamoat.errors import ContentError

if TYPE_CHECKING:
    import duckdb

LAYERS = ("staging", "intermediate", "marts")
# Which layer may read which. `raw` is read by staging alone, and only its own source's.
MAY_READ = {
    "staging": {"raw"},
    "intermediate": {"staging", "intermediate", "meta"},
    "marts": {"staging", "intermediate", "meta"},
}
READABLE_META = {"meta.snapshots", "meta.sources"}  # made before the models run
CLOCK_AND_DICE = {
    "now", "current_date", "current_timestamp", "current_time", "today", "localtime", "localtimestamp",
    "get_current_timestamp", "transaction_timestamp", "random", "gen_random_uuid", "uuid", "setseed",
}  # fmt: skip
OUTSIDE = re.compile(r"^(read_|parquet_|glob$|sniff_|query|sqlite_|postgres_|getenv)")
HEADER = re.compile(r"\A\s*/\*---\n(?P<yaml>.*?)\n---\*/\s*", re.DOTALL)
NAME = re.compile(r"[a-z][a-z0-9_]*")
BUILD_FILE = "transforms/build.yml"


class UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping; a key may be there once."""
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"key given twice: {', '.join(twice)}", node.start_mark)
        return super().construct_mapping(node, deep=deep)


@dataclass(frozen=True)
class Column:
    """One word of the dictionary: what a column of this name is, in every table that has it."""

    name: str
    type: str
    description: str
    unit: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table a model yields, and what its header promises."""

    name: str
    layer: str
    description: str
    grain: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    caveats: tuple[str, ...] = ()
    min_rows: int = 0
    max_rows: int | None = None

    @property
    def id(self) -> str:
        """Schema and name, as SQL says it."""
        return f"{self.layer}.{self.name}"


@dataclass(frozen=True)
class Model:
    """One file in `transforms/` and the table or tables it yields."""

    name: str
    layer: str
    path: Path
    is_sql: bool
    text: str
    reads: tuple[str, ...]
    tables: tuple[Table, ...]
    is_cached: bool = False
    constants: tuple[str, ...] = ()  # of `settings` and `as_of`, those a Polars model takes

    @property
    def source_id(self) -> str | None:
        """The source a staging model belongs to."""
        return self.path.parent.name if self.layer == "staging" else None


@dataclass(frozen=True)
class Snippet:
    """A SQL file that is not a model: a macro, a check, or a table that `run` prints at its end."""

    name: str
    path: Path
    sql: str
    header: dict[str, Any] = field(hash=False)

    @property
    def description(self) -> str:
        """What the header says it is."""
        return str(self.header["description"])


@dataclass(frozen=True)
class Project:
    """Everything the content tree says."""

    content: Path
    models: tuple[Model, ...]
    columns: dict[str, Column] = field(hash=False)
    macros: tuple[Snippet, ...] = ()
    checks: tuple[Snippet, ...] = ()
    expectations: tuple[Path, ...] = ()
    build: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by its id, in graph order."""
        return {table.id: table for model in self.models for table in model.tables}

    @property
    def marts(self) -> tuple[Table, ...]:
        """The tables that are published, by name."""
        return tuple(sorted((t for t in self.tables.values() if t.layer == "marts"), key=lambda t: t.name))

    def model_of(self, table_id: str) -> Model:
        """Return the model that yields a table."""
        return next(model for model in self.models if any(table.id == table_id for table in model.tables))


def read_project(content: Path) -> Project:
    """Read and cross-check the content tree.

    Raises:
        ContentError: A file is malformed, two share a name, or a model reads what it may not.
    """
    transforms = content / "transforms"
    models = [read_model(path, transforms) for path in _model_files(transforms)]
    for path in sorted(transforms.rglob("*.sql")) + sorted(transforms.rglob("*.py")):
        if path.parent.name == "sample" or path.name in {"parse.py", "ask.py"} or path.parts[-2] == "macros":
            continue
        if not any(model.path == path for model in models):
            raise ContentError(
                f"{path.name} is in no layer",
                str(path),
                "move it to staging/<source>/, intermediate/<subject>/ or marts/<group>/.",
            )
    project = Project(
        content=content,
        models=_in_graph_order(models),
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
    for path in project.expectations:
        if f"{path.parent.name}.{path.stem}" not in project.tables:
            raise ContentError(
                f"expectations for {path.parent.name}.{path.stem}, which no model yields",
                str(path),
                "rename the file after the table, or delete it.",
            )
    return project


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML mapping.

    Raises:
        ContentError: The file is absent, is no YAML, or is not a mapping.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)  # noqa: S506  (a subclass of SafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as failure:
        raise ContentError(f"cannot read {path.name}: {failure}", str(path), "mend the YAML.") from failure
    if not isinstance(value, dict):
        raise ContentError(f"{path.name} is not a mapping", str(path), "write `key: value` lines.")
    return value


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


def read_snippet(path: Path, keys: set[str]) -> Snippet:
    """Return a SQL file with its header, which must have exactly `keys`."""
    header, sql = _split_header(path)
    if set(header) != keys:
        raise ContentError(f"the header has {sorted(header)}, not {sorted(keys)}", str(path), "give it exactly these keys.")
    if header.get("severity", "critical") not in {"critical", "warning"}:
        raise ContentError(
            f"severity {header['severity']!r} is unknown", str(path), "say `critical` (stops publication) or `warning`."
        )
    return Snippet(path.stem, path, sql, header)


def read_model(path: Path, transforms: Path) -> Model:
    """Return one model; its layer and name come from its path, what it reads from its text."""
    layer = path.relative_to(transforms).parts[0]
    prefix = {"staging": f"stg_{path.parent.name}__", "intermediate": "int_", "marts": ""}[layer]
    if not NAME.fullmatch(path.stem) or not path.stem.startswith(prefix):
        raise ContentError(
            f"{path.stem!r} is no name for a model in {layer}", str(path), f"call it {prefix}<what>, in snake case."
        )
    if path.suffix == ".sql":
        header, sql = _split_header(path)
        if not sql.rstrip().endswith(";"):
            tables = (_table_from_header(path.stem, layer, header, path),)
            constants = ("as_of",) if "getvariable" in sql else ()
            reads = tuple(sorted(_reads_of_sql(sql, path)))
            return Model(path.stem, layer, path, True, sql, reads, tables, header.get("cache") is True, constants)
        raise ContentError("a model is one SELECT without a semicolon", str(path), "remove the semicolon.")
    return _read_polars_model(path, layer)


@functools.cache
def _parser() -> "duckdb.DuckDBPyConnection":
    """Return a DuckDB that parses; one for all files, since opening it costs more than parsing."""
    import duckdb

    return duckdb.connect()


def parsed(sql: str, path: Path) -> dict[str, Any]:
    """Return DuckDB's own parse tree of one SELECT.

    Raises:
        ContentError: It does not parse, or is something other than one SELECT.
    """
    tree: dict[str, Any] = json.loads(_parser().execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if tree["error"] or len(tree["statements"]) != 1:
        raise ContentError(
            f"this is not one SELECT: {tree.get('error_message', 'several statements')}",
            str(path),
            "mend the SQL; try it in a DuckDB prompt.",
        )
    return tree


def nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a parse tree."""
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes(value)


def tables_in(tree: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the (schema, table) pairs a parse tree names; names of CTEs are left out."""
    common = {entry["key"] for node in nodes(tree) for entry in (node.get("cte_map") or {}).get("map", [])}
    found = {(n.get("schema_name") or "", n["table_name"]) for n in nodes(tree) if n.get("type") == "BASE_TABLE"}
    return {(schema, name) for schema, name in found if schema or name not in common}


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


def _split_header(path: Path) -> tuple[dict[str, Any], str]:
    """Return the YAML header and the SQL of a file."""
    text = path.read_text(encoding="utf-8")
    match = HEADER.match(text)
    if match is None:
        raise ContentError("no header", str(path), "begin the file with `/*---`, YAML with `description:`, and `---*/`.")
    try:
        header = yaml.safe_load(match["yaml"])
    except yaml.YAMLError as failure:
        raise ContentError(f"the header is no YAML: {failure}", str(path), "mend the header.") from failure
    if not isinstance(header, dict) or not str(header.get("description", "")).strip():
        raise ContentError("the header has no description", str(path), "say in one sentence what this is.")
    return header, text[match.end() :].strip()


def _table_from_header(name: str, layer: str, header: dict[str, Any], path: Path) -> Table:
    """Return the table a header promises; unknown keys are refused."""
    unknown = set(header) - {"description", "grain", "nullable", "caveats", "rows", "cache"}
    rows = header.get("rows") or {}
    if unknown or set(rows) - {"min", "max"}:
        raise ContentError(
            f"unknown keys in the header: {sorted(unknown or rows)}",
            str(path),
            "use description, grain, nullable, caveats, rows: {min, max}.",
        )
    for key in ("grain", "nullable", "caveats"):
        if not isinstance(header.get(key, []), list):
            raise ContentError(f"{key} is not a list", str(path), f"write `{key}: [a, b]`.")
    if not header.get("grain"):
        raise ContentError("the header has no grain", str(path), "name the columns that make a row one row.")
    return Table(
        name,
        layer,
        " ".join(str(header["description"]).split()),
        tuple(header["grain"]),
        frozenset(header.get("nullable", [])),
        tuple(header.get("caveats", [])),
        int(rows.get("min", 0)),
        rows.get("max"),
    )


def _reads_of_sql(sql: str, path: Path) -> set[str]:
    """Return the tables a SELECT reads, and refuse clocks, dice, files and unqualified names."""
    tree = parsed(sql, path)
    functions = {node["function_name"] for node in nodes(tree) if node.get("class") == "FUNCTION"}
    functions |= {
        node["function"]["function_name"]
        for node in nodes(tree)
        if node.get("type") == "TABLE_FUNCTION" and isinstance(node.get("function"), dict)
    }
    bare = {n["column_names"][0] for n in nodes(tree) if n.get("class") == "COLUMN_REF" and len(n["column_names"]) == 1}
    banned = ((functions | bare) & CLOCK_AND_DICE) | {name for name in functions if OUTSIDE.match(name)}
    if banned:
        raise ContentError(
            f"a model may not use {', '.join(sorted(banned))}",
            str(path),
            "no clock, no dice, no files in models: use getvariable('as_of'), draws, or a source.",
        )
    named = tables_in(tree)
    without = sorted(name for schema, name in named if not schema)
    if without:
        raise ContentError(
            f"{', '.join(without)} is read without its schema", str(path), "write staging.…, intermediate.… or raw.…"
        )
    return {f"{schema}.{name}" for schema, name in named}


def _read_polars_model(path: Path, layer: str) -> Model:
    """Return a Polars model, read with `ast` and never imported here."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError as failure:
        raise ContentError(f"this is no Python: {failure}", str(path), "mend the file.") from failure
    values = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in {"GRAIN", "NULLABLE", "CACHE", "TABLES", "CAVEATS", "ROWS"}:
                try:
                    values[target.id] = ast.literal_eval(value)
                except ValueError as failure:
                    raise ContentError(f"{target.id} is not a literal", str(path), "write it out.") from failure
    model = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "model"), None)
    description = ast.get_docstring(tree)
    if model is None or not description or not (values.get("GRAIN") or values.get("TABLES")):
        raise ContentError(
            "a Polars model has a docstring, GRAIN (or TABLES) and a function model()",
            str(path),
            'add what is missing, as `GRAIN = ("platform_id", "draw")`.',
        )
    grains = values.get("TABLES") or {path.stem: values["GRAIN"]}
    rows = values.get("ROWS") or {}
    tables = tuple(
        Table(
            name,
            layer,
            " ".join(description.split("\n\n")[0].split()),
            tuple(grain),
            frozenset(values.get("NULLABLE", ())),
            tuple(values.get("CAVEATS", ())),
            int(rows.get("min", 0)),
            rows.get("max"),
        )
        for name, grain in grains.items()
    )
    arguments = [argument.arg for argument in model.args.args]
    constants = tuple(name for name in arguments if name in {"settings", "as_of"})
    reads = [name for name in arguments if name not in constants]
    schemas = {"stg": "staging", "int": "intermediate"}
    if any(name.split("_")[0] not in schemas for name in reads):
        raise ContentError(f"model() takes {reads}", str(path), "name its parameters after the stg_… and int_… tables it reads.")
    named = tuple(sorted(f"{schemas[name.split('_')[0]]}.{name}" for name in reads))
    return Model(path.stem, layer, path, False, text, named, tables, bool(values.get("CACHE", False)), constants)


def _in_graph_order(models: list[Model]) -> tuple[Model, ...]:
    """Return the models so that each comes after what it reads; layer rules are kept here."""
    home: dict[str, Model] = {}
    for model in models:
        for table in model.tables:
            if table.id in home:
                raise ContentError(
                    f"two models yield {table.id}", f"{home[table.id].path} and {model.path}", "rename one of them."
                )
            home[table.id] = model
    graph: dict[str, set[str]] = {}
    for model in models:
        graph[model.name] = set()
        for read in model.reads:
            schema = read.split(".")[0]
            if schema not in MAY_READ[model.layer] or (schema == "meta" and read not in READABLE_META):
                raise ContentError(
                    f"{model.layer}.{model.name} reads {read}",
                    str(model.path),
                    f"{model.layer} may read {', '.join(sorted(MAY_READ[model.layer]))}"
                    " (of meta: snapshots and sources); go through the layer between.",
                )
            if schema == "raw" and not read.startswith(f"raw.{model.source_id}__"):
                raise ContentError(
                    f"{model.name} reads {read}, another source's table",
                    str(model.path),
                    "staging reads its own source; join in intermediate.",
                )
            if schema in LAYERS:
                if read not in home:
                    near = [name for name in home if name.split(".")[1].split("__")[0] == read.split(".")[1].split("__")[0]]
                    raise ContentError(
                        f"{model.layer}.{model.name} reads {read}, which no model yields",
                        str(model.path),
                        f"did you mean one of {sorted(near)[:5]}?" if near else "write that model first.",
                    )
                graph[model.name].add(home[read].name)
    by_name = {model.name: model for model in models}
    sorter = TopologicalSorter({name: sorted(graph[name]) for name in sorted(graph)})
    try:
        return tuple(by_name[name] for name in sorter.static_order())
    except CycleError as failure:
        raise ContentError(
            f"models read each other in a circle: {' → '.join(failure.args[1])}",
            str(by_name[failure.args[1][0]].path),
            "break the circle.",
        ) from failure
