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
        elif isinstance(node, ast.Name | ast.FunctionDef | ast.ClassDef | ast.arg | ast.Attribute | ast.keyword):
            for field in ("id", "name", "arg", "attr"):
                yield getattr(node, "lineno", 0), str(getattr(node, field, None) or "")
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
    root = checkout / "src" / "datamoat"
    files = [
        path for path in sorted(root.rglob("*.*")) if path.suffix in {".py", ".j2"} and not path.is_relative_to(root / "content")
    ]
    assert len(files) > 80
    found = [
        f"{path.relative_to(checkout)}:{line}: {match[0]}"
        for path in files
        for line, text in [
            (0, path.stem),
            *(texts(path) if path.suffix == ".py" else enumerate(path.read_text().splitlines(), 1)),
        ]
        for match in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


def test_the_search_sees_docstrings_comments_and_plain_names(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text(
        '"""Example: board_status."""\n# kuaishou\ndef tiktok(): return f"marts.claim_check {1}"\nx.company_pair(bilibili=1)\n'
    )
    seen = " ".join(text for _, text in texts(path))
    assert all(name in seen for name in ("board_status", "kuaishou", "tiktok", "claim_check", "company_pair", "bilibili"))
