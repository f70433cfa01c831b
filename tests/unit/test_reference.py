"""Reference rows are read strictly, and a breach names file, line, value and fix."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from datamoat.errors import ContentError
from datamoat.project.reference import read_reference

Edit = Callable[[str, str, str], Path]
FACTS = "data/reference/facts.csv"
DESCRIPTOR = "data/reference/datapackage.json"


def test_a_sound_file_is_typed_by_the_descriptor(tree: Path) -> None:
    (table,) = read_reference(tree / "data" / "reference")
    assert table.name == "facts"
    assert table.frame.row(0) == ("douyin", 5.0, date(2026, 3, 1))
    assert len(table.sha256) == 64


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("douyin,5.0", "douyin,5·0", "line 2: uploads '5·0' is not a number"),
        ("douyin,5.0", "douyin,-5.0", "line 2: uploads '-5.0' is outside 0 to None"),
        ("douyin,5.0", "douyin,1,5", "line 2: 4 cells, not 3"),
        ("douyin,5.0", "douyin,NaN", "line 2: uploads 'NaN' is not a number"),
        ("douyin,5.0", 'douyin,"5,000"', "uploads '5,000' is not a number"),
        ("tiktok,7.0", "tiktok,", "line 3: uploads is empty, and it is required"),
        ("tiktok,7.0", "Tik Tok,7.0", "does not match"),
        ("tiktok,7.0", " tiktok,7.0", "has blanks at its ends"),
        ("2026-05-01", "2026-5-1", "is not a date"),
        ("2026-05-01", "2026-02-30", "is not a date"),
        ("tiktok,", "douyin,", "have the key {'platform_id': 'douyin'}"),
        ("uploads,stated_on", "uploads,stated_by", "unknown columns ['stated_by'], missing columns ['stated_on']"),
        ("platform_id,uploads", "uploads,platform_id", "another order"),
        ("douyin,5.0,2026-03-01", '"douyin,5.0,2026-03-01', "this is no CSV"),
    ],
)
def test_a_malformed_row_is_reported_with_its_line(tree: Path, edit: Edit, old: str, new: str, reported: str) -> None:
    edit(FACTS, old, new)
    with pytest.raises(ContentError) as failure:
        read_reference(tree / "data" / "reference")
    assert reported in failure.value.what
    assert "facts.csv" in failure.value.where
    assert failure.value.fix


@pytest.mark.parametrize(("n_broken", "more"), [(5, None), (6, "… and 1 more"), (9, "… and 4 more")])
def test_of_many_malformed_rows_five_are_shown_and_the_others_counted(tree: Path, n_broken: int, more: str | None) -> None:
    path = tree / FACTS
    path.write_text(path.read_text() + "".join(f"p{'a' * n},none,2026-03-01\n" for n in range(n_broken)))
    with pytest.raises(ContentError) as failure:
        read_reference(tree / "data" / "reference")
    lines = failure.value.what.splitlines()
    assert lines[0] == f"{n_broken} cell(s) of facts.csv break the descriptor:"
    assert [line.split(":")[0].strip() for line in lines[1:6]] == [f"line {n}" for n in range(4, 9)]
    assert [line.strip() for line in lines[6:]] == ([more] if more else [])


def test_a_byte_order_mark_or_carriage_return_is_refused(tree: Path) -> None:
    path = tree / FACTS
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(ContentError, match="byte-order mark"):
        read_reference(tree / "data" / "reference")


def test_a_file_that_is_gone_is_to_be_brought_back(tree: Path) -> None:
    (tree / FACTS).unlink()
    with pytest.raises(ContentError, match=r"facts\.csv: No such file") as failure:
        read_reference(tree / "data" / "reference")
    assert "bring it back" in failure.value.fix


def test_a_file_the_descriptor_does_not_name_is_refused(tree: Path) -> None:
    (tree / "data" / "reference" / "stray.csv").write_text("a\n1\n")
    with pytest.raises(ContentError, match=r"stray\.csv is not in the descriptor"):
        read_reference(tree / "data" / "reference")


def test_a_reference_to_nothing_is_refused(tree: Path, edit: Edit) -> None:
    edit(
        DESCRIPTOR,
        '"primaryKey": ["platform_id"]',
        '"primaryKey": ["platform_id"], "foreignKeys": [{"fields": "platform_id", "reference": {"resource": "known", "fields": "id"}}]',
    )
    edit(
        DESCRIPTOR,
        '"resources": [',
        '"resources": [{"name": "known", "path": "known.csv", "schema": {"fields": [{"name": "id", "type": "string"}], "primaryKey": "id"}}, ',
    )
    (tree / "data" / "reference" / "known.csv").write_text("id\ntiktok\n")
    with pytest.raises(ContentError, match=r"row 2: \{'platform_id': 'douyin'\} is not in known\.csv"):
        read_reference(tree / "data" / "reference")


def test_a_file_without_a_primary_key_is_refused(tree: Path, edit: Edit) -> None:
    edit(DESCRIPTOR, '"primaryKey": ["platform_id"]', '"missingValues": [""]')
    with pytest.raises(ContentError, match="resource 'facts' has no primaryKey"):
        read_reference(tree / "data" / "reference")
