"""The layout of `src`: few imports between packages, all in one direction, and no long file."""

from itertools import pairwise
from pathlib import Path

import grimp
import pytest

LAYERS = (
    "cli", "orchestration", "views", "scenarios", "release", "publish", "build", "ingest", "parsing", "project", "storage",
    "settings", "log", "errors",
)  # fmt: skip
MOST_IMPORTS = 70  # pairs of packages of which one imports the other; 227 pairs of modules when all lay in one folder
MOST_LINES = 420


@pytest.fixture(scope="module")
def imports() -> set[tuple[str, str]]:
    """Return every pair of packages of ours of which the first imports the second."""
    graph = grimp.build_graph("datamoat", "moat", cache_dir=None)

    def package(module: str) -> str:
        root, _, rest = module.partition(".")
        return root if root == "moat" else rest.split(".")[0] or root

    pairs = {(package(a), package(b)) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    return {(a, b) for a, b in pairs if a != b}


def test_packages_import_each_other_in_few_places(imports: set[tuple[str, str]]) -> None:
    assert {"cli", "build", "storage", "moat"} <= {package for pair in imports for package in pair}
    assert len(imports) <= MOST_IMPORTS


def test_no_package_imports_one_above_it(imports: set[tuple[str, str]]) -> None:
    above = {name: place for place, name in enumerate(LAYERS)}
    assert {(a, b) for a, b in imports if a in above and b in above and above[a] >= above[b]} == set()


def test_the_order_of_packages_is_the_one_that_the_import_contract_enforces(checkout: Path) -> None:
    import tomllib

    contracts = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    places = [layers.index(name) for name in LAYERS]
    assert all(a < b for a, b in pairwise(places))
    assert set(layers) - set(LAYERS) == {"__main__"}


def test_no_file_is_long(checkout: Path) -> None:
    files = [
        path for root in ("datamoat", "moat") for path in (checkout / "src" / root).rglob("*.py") if "content" not in path.parts
    ]
    assert len(files) > 50
    lines = {path.relative_to(checkout).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: n for path, n in lines.items() if n > MOST_LINES} == {}


def test_the_science_imports_arrays_frames_and_errors_alone(checkout: Path) -> None:
    import ast
    import sys

    allowed = {"numpy", "scipy", "polars", "scoringrules", "moat"}
    outside = {"os", "pathlib", "socket", "subprocess", "time", "random", "urllib", "http", "shutil", "io", "tempfile"}
    found = {}
    for path in (checkout / "src" / "moat").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        roots = {
            name
            for name in names - {"datamoat.errors"}
            if name.split(".")[0] not in (allowed | sys.stdlib_module_names) - outside
        }
        found[path.relative_to(checkout).as_posix()] = sorted(roots)
    assert len(found) > 20
    assert {path: names for path, names in found.items() if names} == {}
