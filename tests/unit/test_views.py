"""What readers see of a small published file, whole: printed rows in every form, sections, diagrams, profiles, queries, traces."""

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.errors import ContentError, UsageError
from datamoat.views.diagram import diagram_page
from datamoat.views.profiles import find_profile, profile_names, read_profile
from datamoat.views.query import describe_table, list_tables, run_query
from datamoat.views.render import MOST_ITEMS, UNSAFE, Form, cell_of, fill, plain, print_as, say, text_of
from datamoat.views.render import rows as print_rows
from datamoat.views.sections import as_markdown, print_sections, read_answer, read_answer_object, read_sections
from datamoat.views.trace import SHOWN_INPUTS, drawn, lineage_of, read_pairs, trace_number

PUBLISHED = """
create schema marts; create schema meta;
create table marts.volume as select * from (values
    ('a', date '2026-01-01', 'one', 1.0, 0.5, 2.0), ('a', date '2026-02-01', 'one', 3.0, 2.5, 4.0),
    ('b', date '2026-01-01', 'one', 5.0, 4.5, 6.0), ('a', date '2026-03-01', 'two', 7.0, 6.5, 8.0)
) as t(company_id, month, scenario, hours_p50, hours_p05, hours_p95);
create table marts.company as select * from (values ('a', 'Company A', true, 10, 8, 12), ('b', 'B', false, 20, null, null))
    as t(company_id, name, is_open, size, size_low, size_high);
create table marts.note as select * from (values (1, 'b', 'one'), (2, null, 'two')) as t(note_id, company_id, scenario);
create table marts.scenario as select unnest(['one', 'two']) as scenario;
create table marts.detail as select 'a' as company_id, 'text' as detail;
create table marts.unrelated as select 9 as note_id, 'z' as company_id;
create table meta.build as select '20260301-x' as build_id, date '2026-03-01' as as_of;
create table meta.models (layer varchar, table_name varchar, grain varchar[], reads varchar[]);
insert into meta.models values
    ('marts', 'volume', ['company_id', 'month', 'scenario'], ['intermediate.hours']), ('marts', 'company', ['company_id'], ['staging.c']),
    ('marts', 'note', ['note_id'], ['meta.sources']), ('marts', 'scenario', ['scenario'], []), ('marts', 'detail', ['company_id'], []),
    ('marts', 'unrelated', ['note_id', 'company_id'], []), ('intermediate', 'hours', ['company_id'], ['staging.h', 'staging.c']),
    ('staging', 'h', ['company_id'], ['raw.press__page', 'meta.snapshots']), ('staging', 'c', ['company_id'], ['raw.reference__companies']);
create table meta.lineage (layer varchar, table_name varchar, column_name varchar, from_table varchar, from_column varchar);
insert into meta.lineage values
    ('marts', 'volume', 'hours_p50', 'intermediate.hours', 'hours'), ('intermediate', 'hours', 'hours', 'staging.h', 'hours'),
    ('staging', 'h', 'hours', 'raw.press__page', 'hours'), ('marts', 'company', 'name', 'staging.c', 'name'),
    ('staging', 'c', 'name', 'raw.reference__companies', 'name'), ('marts', 'company', 'size', 'staging.c', 'name'),
    ('marts', 'company', 'size', 'intermediate.hours', 'hours');
create table meta.inputs as select * from (values ('reference/companies.csv', 'c0ffee'), ('snapshots', '5eed'), ('reference/sources.csv', '50'))
    as t(input, sha256);
create table meta.snapshots as select * from (values ('press', true), ('gone', false)) as t(source_id, is_served);
create table meta.columns (layer varchar, table_name varchar, column_name varchar, type varchar, is_nullable boolean, unit varchar,
    description varchar, allowed_values varchar[]);
insert into meta.columns
    select 'marts', table_name, column_name, data_type, table_name = 'note' and column_name = 'company_id',
        if(column_name = 'hours_p50', 'hours', null), 'What ' || column_name || ' is.',
        if(column_name = 'scenario', ['one', 'two'], [])
    from duckdb_columns() where schema_name = 'marts';
comment on table marts.volume is 'Hours by month. More words.'; comment on table marts.company is 'Companies.';
comment on column marts.company.name is 'Its name.';
"""
WHY = """
create macro marts.why(t, c, k) as table select * from (values
    ('fact', 'F1', null, 0.25, 'forty million', 'a note', 'page_read', null, null, null, null),
    ('page', 'C1', 'F1', null, 'A page', null, 'snapshot', 'https://example.org/a', date '2026-01-02', date '2026-02-03', 'abcdef0123456789ff'),
    ('page', 'C2', null, null, 'Another', null, null, 'https://example.org/b', null, null, null),
    ('assumption', 'A1', null, 0.75, 'a rate', null, null, null, null, null, null)
) as e(kind, id, parent_id, variance_share, evidence, detail, verification, url, published_on, read_on, sha256)
where t = 'volume' and c = 'hours_p50' and k = 'company_id=a; month=2026-02-01; scenario=one'
"""


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute(PUBLISHED)
        made.execute(WHY)
        yield made


COLUMNS, KINDS = ("name", "n", "is_open", "parts"), ("VARCHAR", "DOUBLE", "BOOLEAN", "VARCHAR[]")
RECORDS: list[tuple[Any, ...]] = [("a|b", 1234.5, True, ["x", "y"]), ("second", None, False, []), (None, 0.25, None, None)]
PRINTED = {
    Form.TABLE: "name        n  is_open  parts\na|b     1,234      yes  x, y\nsecond      –       no\n–        0.25        –  –\n",
    Form.CSV: 'name,n,is_open,parts\na|b,1234.5,true,"[""x"", ""y""]"\nsecond,,false,[]\n,0.25,,\n',
    Form.NDJSON: (
        '{"name": "a|b", "n": 1234.5, "is_open": true, "parts": ["x", "y"]}\n'
        '{"name": "second", "n": null, "is_open": false, "parts": []}\n{"name": null, "n": 0.25, "is_open": null, "parts": null}\n'
    ),
    Form.MARKDOWN: (
        "| name | n | is_open | parts |\n|---|---|---|---|\n| a\\|b | 1,234 | yes | x, y |\n| second | – | no |  |\n| – | 0.25 | – | – |\n"
    ),
}


@pytest.mark.parametrize("form", PRINTED)
def test_rows_are_printed_whole_in_every_form(capsys: pytest.CaptureFixture[str], form: Form) -> None:
    print_as(form, COLUMNS, KINDS, RECORDS)
    assert capsys.readouterr().out == PRINTED[form]


def test_rows_as_json_are_a_list_and_no_rows_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    print_as(Form.JSON, COLUMNS, KINDS, RECORDS)
    assert json.loads(capsys.readouterr().out) == [dict(zip(COLUMNS, record, strict=True)) for record in RECORDS]
    for form, shown in (
        (Form.TABLE, "name  n  is_open  parts\n(0 rows)\n"),
        (Form.JSON, "[]\n"),
        (Form.CSV, "name,n,is_open,parts\n"),
    ):
        print_as(form, COLUMNS, KINDS, [])
        assert capsys.readouterr().out == shown
    print_rows(("a",), [(1,), (None,)], title="Title")
    assert capsys.readouterr().out == "Title\na\n1\n–\n"
    say("A sentence.", as_json=False, n=1)
    say("A sentence.", as_json=True, n=date(2026, 1, 2))
    assert capsys.readouterr().out == 'A sentence.\n{\n "n": "2026-01-02"\n}\n'


def test_rows_as_parquet_keep_their_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    columns = ("n", "n", "null", "bytes", "day", "list", "price")
    types = ("BIGINT", "DOUBLE", '"NULL"', "BLOB", "DATE", "VARCHAR[]", "DECIMAL(5,2)")
    record = (1, 0.5, None, b"\x00\xffa", date(2026, 1, 2), ["é"], Decimal("1.25"))
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", type("Out", (), {"buffer": buffer})())
    print_as(Form.PARQUET, columns, types, [record, (None,) * 7])
    (tmp_path / "x.parquet").write_bytes(buffer.getvalue())
    with duckdb.connect() as other:
        found = other.sql(f"from '{tmp_path}/x.parquet'")
        assert [str(kind) for kind in found.types] == ["BIGINT", "DOUBLE", "INTEGER", "BLOB", "DATE", "VARCHAR[]", "DECIMAL(5,2)"]
        assert found.fetchall() == [record, (None,) * 7]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (999.0, "999"), (999.96, "1000"), (1000.0, "1,000"), (-1000.4, "-1,000"), (-999.0, "-999"), (12, "12"), (False, "no"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02 03:04:05+00:00"), (date(2026, 1, 2), "2026-01-02"), ([1.5, None], "1.5, –"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_a_person_reads_it(value: object, shown: str) -> None:
    assert text_of(value) == shown


def test_signs_that_steer_a_terminal_are_escaped_and_their_neighbours_are_not() -> None:
    assert {code for code in range(0x2100) if code in UNSAFE} == {
        *range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F,
    }  # fmt: skip
    assert text_of("".join(map(chr, (31, 32, 126, 127, 159, 160, 0x2069, 0x200E)))) == "\\x1f ~\\x7f\\x9f\xa0\\u2069\\u200e"


def test_a_long_list_is_cut_in_a_table_and_not_elsewhere() -> None:
    assert cell_of(list(range(MOST_ITEMS))) == "0, 1, 2, 3, 4, 5"
    assert cell_of(list(range(MOST_ITEMS + 1))) == "0, 1, 2, 3, 4, 5, … (7)"
    assert text_of(list(range(8))) == "0, 1, 2, 3, 4, 5, 6, 7"
    assert (plain(Decimal("1.5")), plain(b"\x01\xab"), plain(date(2026, 1, 2)), plain(Path("x"))) == (
        1.5,
        "\\x01\\xAB",
        "2026-01-02",
        "x",
    )


def test_a_template_escapes_html_alone_and_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.html.j2").write_text("<p>{{ x }}</p>\n{% if y %}\n  yes\n{% endif %}\n")
    (tmp_path / "a.md.j2").write_text("{{ x }}\n")
    (tmp_path / "bad.md.j2").write_text("{{ z }}")
    assert fill(tmp_path, "a.html.j2", x="<b>", y=True) == "<p>&lt;b&gt;</p>\n  yes\n"
    assert fill(tmp_path, "a.md.j2", x="<b>") == "<b>\n"
    for name, message in (("bad.md.j2", "'z' is undefined"), ("none.j2", "the template none.j2 fails: 'none.j2' not found")):
        with pytest.raises(ContentError, match=message):
            fill(tmp_path, name, x=1)


def write(folder: Path, name: str, title: str, sql: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"/*---\ndescription: {title}\n---*/\n{sql}\n", encoding="utf-8")


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Return a content tree with an answer of three sections and a profile."""
    answer = tmp_path / "reports" / "answer"
    write(answer, "2_numbers.sql", "Numbers", "select 'a' as what_it_is, 2 as n")
    write(answer, "1_first.sql", "The answer", "select unnest(['Cannot tell.', 'Try again.']) as sentence")
    write(answer, "3_why.sql", "Why", "select 'Because.' as sentence")
    write(tmp_path / "reports" / "profiles" / "company", "1_is.sql", "It", "select getvariable('company') as company")
    write(tmp_path / "reports" / "profiles" / "day", "1_is.sql", "It", "select getvariable('day') + 1 as next")
    for name, values in (("company", "select company_id as value from marts.company"), ("day", "")):
        (tmp_path / "reports" / "profiles" / name / "profile.yml").write_text(
            f"description: A page.\nargument: {name}\nabout_argument: A {name}.\nexample: '2026-01-01'\nvalues: {values or '!!null null'}\n"
        )
    return tmp_path


def test_an_answer_is_printed_and_written_whole(
    con: duckdb.DuckDBPyConnection, content: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sections = read_answer(con, content)
    assert as_markdown(sections) == (
        "# The answer\n\n*Generated by `datamoat docs` from the published file.*\n\n**Cannot tell.**\n\nTry again.\n\n"
        "## Numbers\n\n| what it is | n |\n|---|---|\n| a | 2 |\n\n## Why\n\n- Because.\n"
    )
    print_sections(sections)
    assert capsys.readouterr().out == (
        "The answer\nCannot tell.\nTry again.\n\nNumbers\nwhat_it_is  n\na           2\n\nWhy\n- Because.\n"
    )
    assert [section.sentences for section in sections] == [("Cannot tell.", "Try again."), None, ("Because.",)]
    assert read_answer_object(con, content) == [
        {"title": "The answer", "rows": [{"sentence": "Cannot tell."}, {"sentence": "Try again."}]},
        {"title": "Numbers", "rows": [{"what_it_is": "a", "n": 2}]}, {"title": "Why", "rows": [{"sentence": "Because."}]},
    ]  # fmt: skip
    assert read_sections(con, content / "absent") == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [("select 1 as a, 2 as b", {"a": 1, "b": 2}), ("select 1 as a limit 0", "gives 0 rows"), ("select unnest([1, 2]) as a", "gives 2 rows"),
     ("select nothing", "does not run")],
)  # fmt: skip
def test_the_answer_for_programs_is_exactly_one_row(
    con: duckdb.DuckDBPyConnection, content: Path, sql: str, found: dict[str, int] | str
) -> None:
    write(content / "reports", "answer.json.sql", "The answer", sql)
    if isinstance(found, dict):
        assert read_answer_object(con, content) == found
        return
    with pytest.raises(ContentError, match=found):
        read_answer_object(con, content)


def test_a_profile_is_about_a_value_that_there_is_or_a_day(con: duckdb.DuckDBPyConnection, content: Path) -> None:
    assert profile_names(content) == ["company", "day"]
    company = find_profile(content, "company")
    page = read_profile(con, company, "a")
    assert (page.value, page.build_id, page.as_of) == ("a", "20260301-x", date(2026, 3, 1))
    assert [(section.title, section.rows) for section in page.sections] == [("It", (("a",),))]
    with pytest.raises(UsageError, match="there is no company 'zzz'") as refused:
        read_profile(con, company, "zzz")
    assert refused.value.fix == "take one of: a, b."
    day = find_profile(content, "day")
    assert day.values == ""
    assert read_profile(con, day, "2026-01-01").sections[0].rows == ((date(2026, 1, 2),),)
    with pytest.raises(UsageError, match="'today' is not a day") as refused:
        read_profile(con, day, "today")
    assert refused.value.fix == "write it as 2026-01-01."
    (content / "reports" / "profiles" / "day" / "profile.yml").write_text("description: A page.\n")
    with pytest.raises(ContentError, match=r"it has \['description'\]"):
        find_profile(content, "day")


def test_a_diagram_has_the_keys_and_each_direct_reference_that_all_rows_keep(con: duckdb.DuckDBPyConnection) -> None:
    page = diagram_page(con)
    assert (
        page[: page.index("\n```\n")]
        == """# How the tables fit together

```mermaid
erDiagram
    company ||--o| detail : "company_id"
    company |o--o{ note : "company_id"
    company ||--o{ volume : "company_id"
    scenario ||--o{ note : "scenario"
    scenario ||--o{ volume : "scenario"
    company {
        VARCHAR company_id PK
    }
    detail {
        VARCHAR company_id PK, FK
    }
    note {
        INTEGER note_id PK
        VARCHAR company_id FK
        VARCHAR scenario FK
    }
    scenario {
        VARCHAR scenario PK
    }
    unrelated {
        INTEGER note_id PK
        VARCHAR company_id PK
    }
    volume {
        VARCHAR company_id PK, FK
        DATE month PK
        VARCHAR scenario PK, FK
    }"""
    )
    assert (
        page[page.index("| column |") :]
        == """| column | in the key of |
|---|---|
| `company_id` | `company`, `detail`, `unrelated`, `volume` |
| `note_id` | `note`, `unrelated` |
| `scenario` | `scenario`, `volume` |
"""
    )


def test_a_query_gives_one_row_more_than_its_limit(con: duckdb.DuckDBPyConnection) -> None:
    for limit, n in ((0, 4), (2, 3), (3, 4), (9, 4)):
        found = run_query(con, "select company_id, hours_p50 from marts.volume order by all", limit, 5)
        assert (found.columns, found.types, len(found.rows)) == (("company_id", "hours_p50"), ("VARCHAR", "DECIMAL(2,1)"), n)


@pytest.mark.parametrize(
    ("sql", "what", "fix"),
    [
        ("select 1; select 2", "these are 2 statements", "send one at a time."),
        ("", "that is not a query", "write a SELECT, or start with FROM."),
        ("show me", None, "`datamoat show` lists the tables, `datamoat show TABLE` its columns."),
        ("select '", None, "look at its end: a comma, quote or bracket may be missing. Write text in '…', a name in \"…\"."),
        (
            "select 1 a b",
            None,
            "look just before 'b': a comma, quote or bracket may be missing. Write text in '…', a name in \"…\".",
        ),
        ("please give", None, "a query starts with SELECT, FROM or WITH."),
        ("from marts.nothing", None, "`datamoat show` lists the tables, `datamoat show TABLE` its columns."),
    ],
)
def test_a_query_that_does_not_run_is_answered_with_what_to_do(
    con: duckdb.DuckDBPyConnection, sql: str, what: str | None, fix: str
) -> None:
    with pytest.raises(UsageError) as refused:
        run_query(con, sql, 5, 5)
    assert (refused.value.where, refused.value.fix) == (sql, fix)
    assert what in (None, refused.value.what)


def test_a_query_that_takes_too_long_is_stopped(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError, match=r"the query ran longer than 0\.05 s"):
        run_query(con, "select sum(a.range * b.range) from range(10000000) a, range(1000000) b", 5, 0.05)  # type: ignore[arg-type]
    assert run_query(con, "select 1 as a", 5, 5).rows == [(1,)]


def test_tables_are_listed_with_their_first_sentence_and_described_with_their_columns(con: duckdb.DuckDBPyConnection) -> None:
    columns, listed = listed_tables(con)
    assert columns == ("table", "n_rows", "description")
    assert listed == [("company", 2, "Companies."), ("volume", 4, "Hours by month.")]
    full, text, (names, described) = describe_table(con, "company")
    assert (full, text, names) == ("marts.company", "Companies.", ("column", "type", "description"))
    assert described[:2] == [("company_id", "VARCHAR", None), ("name", "VARCHAR", "Its name.")]
    assert describe_table(con, "marts.company")[0] == "marts.company"
    with pytest.raises(UsageError, match="there is no table 'companies'") as refused:
        describe_table(con, "companies")
    assert refused.value.fix == "did you mean company?"
    with pytest.raises(UsageError) as refused:
        describe_table(con, "xyzzy")
    assert refused.value.fix == "`datamoat show` lists the tables."


def listed_tables(con: duckdb.DuckDBPyConnection) -> Any:
    """Return the list of the tables that have a comment, in a file that has no others."""
    with duckdb.connect() as other:
        other.execute("create schema marts; create schema meta; create schema raw; create table raw.hidden as select 1 as a")
        for name, text in (("volume", "Hours by month. More words."), ("company", "Companies."), ("change", "What moved.")):
            other.register(
                "_frame",
                con.sql(f"from marts.{name}").to_arrow_table() if name != "change" else con.sql("select 1 as a").to_arrow_table(),
            )
            other.execute(f"create table marts.{name} as from _frame")
            other.execute(f"comment on table marts.{name} is '{text}'")
        columns, listed = list_tables(other, in_full=False)
        assert ("change", None, "What moved.") in listed
        assert ("volume", 4, "Hours by month. More words.") in list_tables(other, in_full=True)[1]
        return columns, [row for row in listed if row[0] != "change"]


def test_a_number_is_traced_to_its_row_its_interval_its_evidence_and_its_files(con: duckdb.DuckDBPyConnection) -> None:
    found = trace_number(con, "marts.volume.hours_p50", ["company_id = a"])
    assert (found.table, found.column, float(str(found.value)), float(str(found.low)), float(str(found.high))) == (
        "volume",
        "hours_p50",
        3,
        2.5,
        4,
    )
    assert found.key == {"company_id": "a", "month": date(2026, 2, 1), "scenario": "one"}
    assert (found.unit, found.description, found.build_id, found.as_of) == (
        "hours",
        "What hours_p50 is.",
        "20260301-x",
        "2026-03-01",
    )
    assert found.path == ("raw.press__page", "staging.h", "intermediate.hours", "marts.volume")
    assert found.inputs == {"snapshots of press": "5eed"}
    assert (
        drawn(found)
        == """3.0 hours (5–95 %: 2.5 to 4.0)
marts.volume.hours_p50 where company_id=a, month=2026-02-01, scenario=one
as of 2026-03-01, build 20260301-x: What hours_p50 is.
├─ 25.0% F1  forty million  [page_read]
│     a note
│  └─ C1  A page  [snapshot]
│     https://example.org/a
│     published 2026-01-02, read 2026-02-03, sha256 abcdef0123456789
├─ C2  Another
│     https://example.org/b
└─ 75.0% A1  a rate
path: staging.h → intermediate.hours → marts.volume
file: snapshots of press  sha256 5eed"""
    )
    assert drawn(found, 2).splitlines()[-4:] == [
        "│     https://example.org/b", "└─ and 1 more: --all prints them", "path: staging.h → intermediate.hours → marts.volume",
        "file: snapshots of press  sha256 5eed",
    ]  # fmt: skip
    assert SHOWN_INPUTS == 12


def test_a_number_of_another_kind_has_its_own_ends_and_says_that_no_page_is_behind_it(con: duckdb.DuckDBPyConnection) -> None:
    found = trace_number(con, "company.size", ["is_open=true"])
    assert (found.value, found.low, found.high) == (10, 8, 12)
    assert drawn(found, 1).splitlines() == [
        "10 (5–95 %: 8 to 12)", "marts.company.size where company_id=a", "as of 2026-03-01, build 20260301-x: What size is.",
        "└─ no page and no assumption: it is computed from the files below alone",
        "path: 2 staging tables (--all names them) → intermediate.hours → marts.company",
        "file: snapshots of press  sha256 5eed", "file: and 1 more: --all",
    ]  # fmt: skip
    other = trace_number(con, "company.name", ["company_id=b"])
    assert (other.value, other.low, other.high) == ("B", None, None)
    assert drawn(other).splitlines()[0] == "B"
    assert (
        trace_number(con, "company.size", ["company_id=b"]).low,
        "(5–95" in drawn(trace_number(con, "company.size", ["company_id=b"])),
    ) == (None, False)


def test_lineage_follows_columns_and_where_there_are_none_all_that_a_table_reads(con: duckdb.DuckDBPyConnection) -> None:
    assert lineage_of(con, "volume", "scenario") == (
        ("raw.press__page", "staging.h", "intermediate.hours", "marts.volume"),
        {"snapshots of press": "5eed"},
    )
    assert lineage_of(con, "note", "note_id") == (("meta.sources", "marts.note"), {"reference/sources.csv": "50"})
    assert lineage_of(con, "company", "name") == (
        ("raw.reference__companies", "staging.c", "marts.company"), {"reference/companies.csv": "c0ffee"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "where", "what", "fix"),
    [
        ("volume", [], "'volume' is not TABLE.COLUMN", "name a mart and one of its columns."),
        ("a.b.c", [], "'a.b.c' is not TABLE.COLUMN", "name a mart and one of its columns."),
        ("volumes.hours_p50", [], "there is no mart 'volumes'", "did you mean volume?"),
        ("xyzzy.hours_p50", [], "there is no mart 'xyzzy'", "`datamoat show` lists them."),
        ("company.nam", [], "company has no column 'nam'", "did you mean name?"),
        ("scenario.xyzzy", [], "scenario has no column 'xyzzy'", "did you mean scenario?"),
        ("volume.hours_p50", ["place=a"], "volume has no column 'place'", "a row is named by company_id, month, scenario."),
        (
            "volume.hours_p50",
            ["company_id=z"],
            "no row of volume is company_id=z",
            "a row is named by company_id, month, scenario.",
        ),
        ("company.size", [], "several rows of company fit", "name company_id too: company_id=a; company_id=b, …"),
        ("note.scenario", [], "several rows of note fit", "name note_id too: note_id=1; note_id=2, …"),
        ("volume.hours_p50", ["company_id"], "'company_id' is not NAME=VALUE", "write --where NAME=VALUE."),
        ("volume.hours_p50", [" =a"], "' =a' is not NAME=VALUE", "write --where NAME=VALUE."),
    ],
)
def test_a_mistake_in_a_trace_is_answered_with_what_to_type(
    con: duckdb.DuckDBPyConnection, target: str, where: list[str], what: str, fix: str
) -> None:
    with pytest.raises(UsageError) as refused:
        trace_number(con, target, where)
    assert (refused.value.what, refused.value.fix) == (what, fix)


def test_pairs_are_taken_without_the_blanks_around_them() -> None:
    assert read_pairs([" a = b=c ", "d="], "--set") == {"a": "b=c", "d": ""}
    assert read_pairs([], "--set") == {}


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="a is given twice"):
        read_pairs(["a=1", "b=2", " a =3"], "--where")
