"""A folder of queries beside the facts is a table of the reference."""

import json
from pathlib import Path

import pytest

from datamoat.errors import ContentError
from datamoat.project.reference import read_reference

RESOURCES = [
    {
        "name": "queries", "path": "queries", "format": "sql",
        "schema": {"fields": [{"name": "query_id", "type": "string"}, {"name": "sql", "type": "string"}], "primaryKey": "query_id"},
    }
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "queries").mkdir()
    (tmp_path / "datapackage.json").write_text(json.dumps({"resources": RESOURCES}), encoding="utf-8")
    return tmp_path


def test_one_row_a_file_with_its_text(folder: Path) -> None:
    (folder / "queries" / "b.sql").write_text("select 2\n", encoding="utf-8")
    (folder / "queries" / "a.sql").write_text("select 1\n", encoding="utf-8")
    (table,) = read_reference(folder)
    assert table.name == "queries"
    assert table.frame.rows() == [("a", "select 1"), ("b", "select 2")]
    before = table.sha256
    (folder / "queries" / "a.sql").write_text("select 3\n", encoding="utf-8")
    assert read_reference(folder)[0].sha256 != before


def test_an_empty_query_is_refused(folder: Path) -> None:
    (folder / "queries" / "a.sql").write_text("\n", encoding="utf-8")
    with pytest.raises(ContentError, match="empty one"):
        read_reference(folder)
