"""Python files of the content tree: models read with `ast`, and the one way any of them is imported."""

import ast
import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from datamoat.errors import ContentError
from datamoat.project.model import Model, Table
from datamoat.project.texts import unreadable

CONSTANTS = {"GRAIN", "NULLABLE", "CACHE", "TABLES", "CAVEATS", "ROWS"}


def read_polars_model(path: Path, layer: str) -> Model:
    """Return a Polars model, read with `ast` and never imported here."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except UnicodeDecodeError as failure:
        raise ContentError(f"cannot read {path.name}: {unreadable(failure)}", str(path), "store it as UTF-8 text.") from failure
    except SyntaxError as failure:
        raise ContentError(f"this is no Python: {failure}", str(path), "correct the file.") from failure
    values = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in CONSTANTS:
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


class _Loader(SourceFileLoader):
    """Imports a file and writes nothing beside it: a content tree may be read-only, or part of an installed package."""

    def set_data(self, *_: object, **__: object) -> None:
        """Write no compiled copy."""


def load(path: Path) -> ModuleType:
    """Import a Python file of the content tree by its path: a model, a parser, a suite of expectations, a chart.

    Raises:
        ContentError: The file is missing or does not import.
    """
    name = f"datamoat_content_{path.parent.name}_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path)))
    if specification is None or specification.loader is None or not path.is_file():
        raise ContentError(f"{path.name} is missing", str(path), "bring the file back.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as failure:
        what = f"{path.name} does not import: {type(failure).__name__}: {failure}"
        raise ContentError(what, str(path), "correct the file.") from failure
    return module
