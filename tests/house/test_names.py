"""The engine knows its content tree by what it reads there, never by name."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamoat.project.read import read_project
from datamoat.project.reference import read_reference
from datamoat.project.sources import read_sources

SHORTEST = 4  # shorter ids are found in any text
# Ids that are also words of the engine or of plain English.
ENGINE_WORDS = {
    "meta": "the schema of the tables about a build",
    "alive": "a process",
    "calibration": "of a method",
    "forecast": "a command",
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every string, name and comment of a Python file with its line; docstrings are strings."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.Name | ast.FunctionDef | ast.ClassDef | ast.arg):
            name = getattr(node, "id", None) or getattr(node, "name", None) or getattr(node, "arg", "")
            yield node.lineno, str(name)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@pytest.fixture(scope="module")
def names(checkout: Path) -> set[str]:
    """Return every name that only the content tree may know."""
    project = read_project(checkout)
    facts = {table.name: table.frame for table in read_reference(checkout / "data" / "reference")}
    found = {table.name for table in project.tables.values()} | {model.name for model in project.models}
    found |= {source.id for source in read_sources(checkout)}
    for table, columns in (
        ("platforms", ("platform_id", "name")),
        ("companies", ("company_id", "name")),
        ("labs", ("lab_id", "name")),
        ("models", ("model_id", "model_name")),
    ):
        for column in columns:
            if column in facts[table].columns:
                found |= {str(value) for value in facts[table][column].to_list() if value}
    return {name for name in found if len(name) >= SHORTEST} - set(ENGINE_WORDS)


def test_the_engine_names_no_mart_model_source_platform_or_company(checkout: Path, names: set[str]) -> None:
    assert len(names) > 500
    pattern = re.compile(
        r"(?<![A-Za-z0-9_-])(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r")(?![A-Za-z0-9_-])"
    )
    found = [
        f"{path.relative_to(checkout)}:{line}: {match[0]}"
        for path in sorted((checkout / "src" / "datamoat").rglob("*.py"))
        if "content" not in path.parts
        for line, text in texts(path)
        for match in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


def test_the_search_sees_docstrings_comments_and_plain_names(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text('"""Example: board_status."""\n# kuaishou\ndef tiktok(): return f"marts.claim_check {1}"\n')
    seen = " ".join(text for _, text in texts(path))
    assert all(name in seen for name in ("board_status", "kuaishou", "tiktok", "claim_check"))
