"""Reference rows are read strictly, and a breach names file, line, value and fix."""

import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from datamoat.errors import ContentError, UsageError
from datamoat.project.additions import Field, Kind, add_rows, read_kinds, read_rows, vocabulary_page
from datamoat.project.reference import input_rows, read_reference

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
        ("douyin,5.0", "douyin,-5.0", "line 2: uploads '-5.0' is below 0"),
        ("douyin,5.0", "douyin,1,5", "line 2: 4 cells, not 3"),
        ("douyin,5.0", "douyin,NaN", "line 2: uploads 'NaN' is not a number"),
        ("douyin,5.0", 'douyin,"5,000"', "uploads '5,000' is not a number"),
        ("tiktok,7.0", "tiktok,", "line 3: uploads is empty, and it is required"),
        ("tiktok,7.0", "Tik Tok,7.0", "platform_id 'Tik Tok' does not match [a-z-]+, as 'douyin' does"),
        ("douyin,5.0", "Douyin,5.0", "platform_id 'Douyin' does not match [a-z-]+"),
        ("tiktok,7.0", " tiktok,7.0", "has blanks at its ends"),
        ("2026-05-01", "2026-5-1", "is not a date"),
        ("2026-05-01", "2026-02-30", "is not a date"),
        ("tiktok,", "douyin,", "have the key {'platform_id': 'douyin'}"),
        ("uploads,stated_on", "uploads,stated_by", "unknown columns ['stated_by'], missing columns ['stated_on']"),
        ("platform_id,uploads", "uploads,platform_id", "the columns uploads and platform_id are exchanged"),
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


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes tables with their descriptor, given by field and text of each, and returns the folder."""

    def write(
        key: str | list[str] = "id", more: dict[str, Any] | None = None, **tables: tuple[dict[str, dict[str, Any]], str]
    ) -> Path:
        resources = []
        for name, (fields, text) in tables.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
            schema = {
                "fields": [{"name": field, **about} for field, about in fields.items()],
                "primaryKey": key,
                **(more or {}).get(name, {}),
            }
            resources.append({"name": name, "path": f"{name}.csv", "schema": schema})
        (tmp_path / "datapackage.json").write_text(json.dumps({"resources": resources}), encoding="utf-8")
        return tmp_path

    return write


Described = Callable[..., Path]
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("kind", "limits", "good", "bad"),
    [
        ("number", {"minimum": 0, "maximum": 1}, ["0", "1", "0.5", "1e-3"], ["-0.001", "1.001", "1e400", "1,0", "inf", "0x1"]),
        ("integer", {"minimum": -2, "maximum": 9}, ["-2", "9", "00"], ["-3", "10", "1.0", "1e3", "٣"]),
        ("date", {"minimum": "2020-01-31", "maximum": "2020-03-01"}, ["2020-01-31", "2020-02-29", "2020-03-01"], ["2020-01-30", "2020-03-02", "2021-02-29"]),
        ("date", {}, ["1900-01-01", "2099-12-31"], ["1899-12-31", "2100-01-01", "20200131"]),
        ("boolean", {}, ["true", "false"], ["True", "yes", "1"]),
        ("string", {"enum": ["a", "b"]}, ["a", "b", ""], ["ab", "A"]),
        ("string", {"pattern": "[a-z]+"}, ["abc", ""], ["abc1", "1abc"]),
        ("string", {"required": True}, ["a"], ["", " a", "a "]),
    ],
)  # fmt: skip
def test_a_cell_is_taken_up_to_its_limits_and_refused_beyond_them(
    described: Described, kind: str, limits: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    fields = {"id": TEXT, "value": {"type": kind, "constraints": limits}}
    (table,) = read_reference(described(facts=(fields, "id,value\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(good)))))
    assert table.frame.height == len(good)
    assert table.frame["value"].null_count() == good.count("")
    for cell in bad:
        with pytest.raises(ContentError, match="value"):
            read_reference(described(facts=(fields, f'id,value\n0,"{cell}"\n')))


def test_a_table_and_its_rows_are_known_by_key_and_hash(described: Described) -> None:
    text = "id,day\nb,2026-03-01\na,\n"
    folder = described(["id", "day"], facts=({"id": TEXT, "day": {"type": "date"}}, text))
    (table,) = read_reference(folder)
    assert (table.name, table.sha256, table.n_bytes) == ("facts", hashlib.sha256(text.encode()).hexdigest(), len(text))
    rows = input_rows(folder, [table])
    assert rows.schema == {"input": pl.String, "row_key": pl.String, "row_md5": pl.String}
    assert rows.select("input", "row_key").rows() == [
        ("reference/facts.csv", "a; None"),
        ("reference/facts.csv", "b; 2026-03-01"),
    ]
    assert rows["row_md5"].n_unique() == 2


def test_a_folder_of_queries_is_a_table_with_one_row_a_file(described: Described) -> None:
    folder = described(["name"], rules=({"name": TEXT, "sql": TEXT}, ""))
    described_as = json.loads((folder / "datapackage.json").read_text())
    described_as["resources"][0] |= {"path": "rules", "format": "sql"}
    (folder / "datapackage.json").write_text(json.dumps(described_as))
    (folder / "rules.csv").unlink()
    (folder / "rules").mkdir()
    for name, query in (("b", " select 2\n"), ("a", "select 1")):
        (folder / "rules" / f"{name}.sql").write_text(query)
    (table,) = read_reference(folder)
    body = b"a\0select 1\0b\0select 2"
    assert (table.name, table.frame.rows()) == ("rules", [("a", "select 1"), ("b", "select 2")])
    assert (table.sha256, table.n_bytes) == (hashlib.sha256(body).hexdigest(), len(body))
    (folder / "rules" / "b.sql").write_text("\n")
    with pytest.raises(ContentError, match="no SQL file, or an empty one"):
        read_reference(folder)


def test_a_key_of_two_columns_may_repeat_in_one_and_repeats_are_named_with_their_rows(described: Described) -> None:
    fields = {"id": TEXT, "day": TEXT}
    assert read_reference(described(["id", "day"], facts=(fields, "id,day\na,1\na,2\n")))[0].frame.height == 2
    with pytest.raises(ContentError) as failure:
        read_reference(described(["id", "day"], facts=(fields, "id,day\na,1\nb,1\na,1\nb,1\nc,1\n")))
    assert failure.value.what == "2 rows of facts.csv have the key {'id': 'a', 'day': '1'}, and 1 more keys repeat"
    assert failure.value.where.endswith("rows [2, 4] (the header is row 1)")


def test_a_row_refers_by_all_columns_of_a_key_or_by_none(described: Described) -> None:
    fields = {"id": TEXT, "day": TEXT, "to_id": TEXT, "to_day": TEXT}

    def read(*rows: str) -> int:
        reference = {"resource": "", "fields": ["id", "day"]}
        key = {"facts": {"foreignKeys": [{"fields": ["to_id", "to_day"], "reference": reference}]}}
        text = "id,day,to_id,to_day\n" + "".join(f"{row}\n" for row in rows)
        return read_reference(described(["id", "day"], key, facts=(fields, text)))[0].frame.height

    assert read("a,1,,", "b,1,a,1", "c,1,z,") == 3
    with pytest.raises(ContentError, match=r"facts\.csv row 3: \{'to_id': 'a', 'to_day': '2'\} is not in facts\.csv"):
        read("a,1,,", "b,1,a,2")


NUMBERED = {
    "type": "string",
    "description": "Its id.",
    "constraints": {"required": True, "unique": True, "pattern": "^F[0-9]{3,}$"},
}
COLUMNS = {
    "id": NUMBERED,
    "kind": {"type": "string", "description": "Its kind.", "constraints": {"required": True, "enum": ["b", "c"]}},
    "value": {"type": "number", "description": "Its\nvalue."},
}


def test_a_kind_of_row_tells_what_each_column_takes_with_an_example_and_how_its_ids_count(described: Described) -> None:
    folder = described(facts=(COLUMNS, "id,kind,value\nF001,c,\nF009,c,2.5\n"), empty=({"id": NUMBERED}, "id\n"))
    pattern = "text like `^F[0-9]{3,}$`"
    assert read_kinds(folder) == {
        "facts": Kind(
            "facts",
            folder / "facts.csv",
            (
                Field("id", "Its id.", True, pattern, "F001", ("F", 3)),
                Field("kind", "Its kind.", True, "one of b, c", "c"),
                Field("value", "Its\nvalue.", False, "a number with a decimal point and no separators", "2.5"),
            ),
        ),
        "empty": Kind("empty", folder / "empty.csv", (Field("id", "Its id.", True, pattern, "", ("F", 3)),)),
    }
    assert vocabulary_page(folder).partition("\n\n## ")[2] == (
        "facts\n\n`datamoat add facts`; columns in bold are required.\n\n| Column | What it is | Takes | Example |\n|---|---|---|---|\n"
        f"| **`id`** | Its id. | {pattern} | F001 |\n| **`kind`** | Its kind. | one of b, c | c |\n"
        "| `value` | Its value. | a number with a decimal point and no separators | 2.5 |\n\n"
        "## empty\n\n`datamoat add empty`; columns in bold are required.\n\n| Column | What it is | Takes | Example |\n|---|---|---|---|\n"
        f"| **`id`** | Its id. | {pattern} |  |\n"
    )


@pytest.mark.parametrize(("known", "line"), [(["F001", "F003"], 3), (["F003", "F001"], 4), ([], 2), (["F000", "F001"], 4)])
def test_a_row_takes_its_place_among_rows_in_order_and_the_last_among_others(
    described: Described, known: list[str], line: int
) -> None:
    folder = described(facts=(COLUMNS, "id,kind,value\n" + "".join(f"{key},c,\n" for key in known)))
    kind = read_kinds(folder)["facts"]
    assert add_rows(folder, [(kind, {"id": "F002", "kind": "c", "value": "1"})], date(2026, 3, 1)) == [(line, "F002")]
    lines = (folder / "facts.csv").read_text().splitlines()
    assert lines[line - 1] == "F002,c,1"
    assert [text[:4] for text in lines[1:] if text != "F002,c,1"] == known


@pytest.mark.parametrize(("known", "key"), [(["F001", "F009"], "F010"), ([], "F001"), (["F999"], "F1000")])
def test_an_id_that_is_left_out_is_the_next_one(described: Described, known: list[str], key: str) -> None:
    folder = described(facts=(COLUMNS, "id,kind,value\n" + "".join(f"{one},c,\n" for one in known)))
    ((line, given),) = add_rows(folder, [(read_kinds(folder)["facts"], {"kind": "c"})], date(2026, 3, 1))
    assert given == key
    assert (folder / "facts.csv").read_text().splitlines()[line - 1] == f"{key},c,"


def test_a_row_that_cannot_be_added_names_what_is_unknown_missing_or_wrong(described: Described, tmp_path: Path) -> None:
    folder = described(facts=(COLUMNS, "id,kind,value\nF001,c,\n"))
    kind, today = read_kinds(folder)["facts"], date(2026, 3, 1)
    with pytest.raises(UsageError, match=r"facts\.csv has no column colour, size"):
        add_rows(folder, [(kind, {"size": "1", "colour": "red"})], today)
    with pytest.raises(UsageError, match=r"facts needs 1 more values:\n  kind=…  Its kind\. one of b, c; 'c' for example"):
        add_rows(folder, [(kind, {"value": "1"})], today)
    with pytest.raises(ContentError, match="value 'many' is not a number") as failure:
        add_rows(folder, [(kind, {"kind": "c", "value": "many"})], today)
    assert failure.value.where == f"{folder / 'facts.csv'}:3"
    assert (folder / "facts.csv").read_text() == "id,kind,value\nF001,c,\n"
    (tmp_path / "more.csv").write_text("kind,value\nc,1\nc,2\n")
    assert read_rows(tmp_path / "more.csv") == [{"kind": "c", "value": "1"}, {"kind": "c", "value": "2"}]
    for body in (b"\xff\xfea\x00", None):
        (tmp_path / "more.csv").write_bytes(body) if body else (tmp_path / "more.csv").unlink()
        with pytest.raises(UsageError, match=r"cannot read more\.csv"):
            read_rows(tmp_path / "more.csv")
