"""docs/architecture.md shows the code as it is: layers, places and what a notebook may import."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def page(checkout: Path) -> str:
    return (checkout / "docs" / "architecture.md").read_text(encoding="utf-8")


def diagrams(page: str) -> list[str]:
    return re.findall(r"^```mermaid\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def defined(path: Path) -> set[str]:
    """Return the functions and classes of a file, methods left out."""
    return {
        node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def test_the_diagram_of_packages_has_the_layers_that_import_linter_checks(checkout: Path, page: str) -> None:
    metadata = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in metadata["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    edges = re.findall(r"^    (\w+)(?:\[.*?\])? --> (\w+)", diagrams(page)[1], re.MULTILINE)
    assert [edges[0][0], *(below for _, below in edges)] == [layer for layer in contract["layers"] if layer != "__main__"]
    assert [above for above, _ in edges[1:]] == [below for _, below in edges[:-1]]


def test_the_table_of_packages_names_every_package_of_the_engine(checkout: Path, page: str) -> None:
    table = page.partition("| package | what it holds |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))))
    source = checkout / "src" / "datamoat"
    there = {path.name for path in source.iterdir() if (path / "__init__.py").is_file()}
    assert named == there | {path.stem for path in source.glob("[!_]*.py")}


def test_every_function_that_an_answer_names_is_in_a_file_that_it_links(checkout: Path, page: str) -> None:
    rows = [row for row in page.splitlines() if row.startswith(("| Where", "| What runs"))]
    assert len(rows) >= 10
    for row in rows:
        linked = [checkout / "docs" / link for link in re.findall(r"\]\((\.\./[^)#]+\.py)\)", row)]
        there = {name for path in linked for name in defined(path)}
        assert set(re.findall(r"`(\w+)\(\)`", row)) <= there, row


def test_the_list_for_notebooks_is_every_module_of_the_science(checkout: Path, page: str) -> None:
    source = checkout / "src"
    modules = {
        ".".join(path.relative_to(source).with_suffix("").parts)
        for path in (source / "moat").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert set(re.findall(r"^\| `(moat\.[\w.]+)` \|", page, re.MULTILINE)) == modules
    for name in sorted(modules):
        public = [f for f in vars(importlib.import_module(name)).values() if getattr(f, "__module__", None) == name]
        assert any(callable(function) and not function.__name__.startswith("_") for function in public), name


def test_examples_import_nothing_of_ours_but_what_a_notebook_may(checkout: Path) -> None:
    for path in (checkout / "examples").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "datamoat"], path


def test_every_link_of_a_page_leads_to_a_file(checkout: Path) -> None:
    pages = [checkout / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")]
    pages += [*(checkout / "docs").rglob("*.md"), checkout / "data" / "reference" / "README.md"]
    broken = [
        f"{path.relative_to(checkout)}: {link}"
        for path in pages
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
        if not (path.parent / link).exists()
    ]
    assert broken == []
