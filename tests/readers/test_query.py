"""A query has limits that hold: it runs in a process of its own, which is ended."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner, Result

from datamoat.cli.app import app
from datamoat.errors import PublishRefusedError, UsageError
from datamoat.settings import Settings
from datamoat.views import query_child
from datamoat.views.query_child import Query, run_apart


@pytest.fixture
def settings(made: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the small published tree, which the child finds in the environment."""
    monkeypatch.setenv("DATAMOAT_ROOT", str(made.content))
    monkeypatch.setenv("DATAMOAT_DATA", str(made.data))
    monkeypatch.setenv("DATAMOAT_MEMORY", "4GB")
    return replace(made, memory_limit="4GB")


def test_a_query_returns_columns_and_rows_in_their_types(settings: Settings) -> None:
    sql = "select 1.5 as a, date '2026-03-01' as b, [1, 2] as c, null as d from meta.build"
    columns, types, rows = run_apart(settings, Query(sql))
    assert columns == ("a", "b", "c", "d")
    assert types == ("DECIMAL(2,1)", "DATE", "INTEGER[]", '"NULL"')
    assert [(float(a), b.isoformat(), c, d) for a, b, c, d in rows] == [(1.5, "2026-03-01", [1, 2], None)]
    assert run_apart(settings, Query("select unnest(range(9)) as n", limit=3)).rows == [(0,), (1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select sum(a.range * b.range) from range(10000000) a, range(10000000) b", "ran longer than 1 s"),
        ("select len(list_sort(list_reverse(range(0, 100000000))))", "ran longer than 1 s and was ended"),
        ("from nothing", "Table with name nothing does not exist"),
        ("create table t as select 1", "read-only"),
        ("select 1 as a; select 2 as b", "these are 2 statements"),
        ("select * from read_csv('/etc/hostname')", "disabled"),
    ],
)
def test_a_query_that_may_not_or_cannot_run_ends_and_is_explained(
    settings: Settings, sql: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_child, "GRACE_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(UsageError, match=message):
        run_apart(settings, Query(sql, seconds=1 if "1 s" in message else 30))
    assert time.monotonic() - began < 30
    assert [child for child in psutil.Process().children() if "query_child" in " ".join(child.cmdline())] == []


ROW = "select date '2026-03-01' as d, 1.5::decimal(4, 2) as x, ['a', 'b'] as l, null::integer as n, true as b, 'a,\"|' as t"
IN_EACH_FORM = {
    "table": 'd           x     l     n    b  t\n2026-03-01  1.50  a, b  –  yes  a,"|\n',
    "csv": 'd,x,l,n,b,t\n2026-03-01,1.50,"[""a"", ""b""]",,true,"a,""|"\n',
    "ndjson": '{"d": "2026-03-01", "x": 1.5, "l": ["a", "b"], "n": null, "b": true, "t": "a,\\"|"}\n',
    "markdown": '| d | x | l | n | b | t |\n|---|---|---|---|---|---|\n| 2026-03-01 | 1.50 | a, b | – | yes | a,"\\| |\n',
}


def call(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["query", *words], input=given)


@pytest.mark.parametrize("form", IN_EACH_FORM)
def test_rows_are_printed_in_the_form_that_was_named(settings: Settings, form: str) -> None:
    assert call(ROW, "--format", form).stdout == IN_EACH_FORM[form]


def test_json_is_a_form_of_its_own_and_a_short_option(settings: Settings) -> None:
    assert json.loads(call(ROW, "--json").stdout) == [json.loads(IN_EACH_FORM["ndjson"])]
    assert call(ROW, "--format", "json").stdout == call(ROW, "--json").stdout


def test_parquet_keeps_the_types_and_is_read_by_another_library(settings: Settings, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "rows.parquet"
    path.write_bytes(call(f'{ROW}, \'x\'::blob as "a ""b"', "--format", "parquet").stdout_bytes)
    table = pq.read_table(path)
    assert dict(zip(table.column_names, map(str, table.schema.types), strict=True)) == {
        "d": "date32[day]", "x": "decimal128(4, 2)", "l": "list<element: string>", "n": "int32", "b": "bool", "t": "string", 'a "b': "binary",
    }  # fmt: skip
    assert [str(value) for value in table.to_pylist()[0].values()] == [
        "2026-03-01",
        "1.50",
        "['a', 'b']",
        "None",
        "True",
        'a,"|',
        "b'x'",
    ]


def test_a_statement_comes_from_a_file_or_from_standard_input(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "one.sql").write_text("select 7 as n")
    assert call(str(tmp_path / "one.sql"), "--format", "csv").stdout == "n\n7\n"
    assert call("-", "--format", "csv", given="select 8 as n").stdout == "n\n8\n"
    with pytest.raises(UsageError, match="cannot be read"):
        _raised(call("none.sql"))
    with pytest.raises(UsageError, match="no statement"):
        _raised(call("-", given=" "))


def test_a_table_cuts_long_lists_and_says_that_there_are_no_rows(settings: Settings) -> None:
    assert call("select range(20) as l").stdout.splitlines()[1] == "0, 1, 2, 3, 4, 5, … (20)"
    assert len(json.loads(call("select range(20) as l", "--json").stdout)[0]["l"]) == 20
    assert call("select 1 as n where false").stdout == "n\n(0 rows)\n"
    assert call("select 1 as n where false", "--format", "csv").stdout == "n\n"


def test_only_a_table_for_a_person_is_cut_at_two_hundred_rows(settings: Settings) -> None:
    sql = "select unnest(range(300)) as n"
    assert len(call(sql).stdout.splitlines()) == 201
    assert len(call(sql, "--format", "csv").stdout.splitlines()) == 301
    assert len(call(sql, "--format", "csv", "--limit", "5").stdout.splitlines()) == 6


@pytest.mark.parametrize(
    ("sql", "fix"),
    [
        ("selec 1", "starts with SELECT, FROM or WITH"),
        ("select 'x", "look at its end"),
        ("select 1 frm x y", "look just before 'x'"),
        ("create table t as select 1", "only read"),
        ("from read_text('/etc/hostname')", "published file alone"),
    ],
)
def test_a_statement_that_does_not_run_gets_a_step_to_take(settings: Settings, sql: str, fix: str) -> None:
    failure = call(sql).exception
    assert isinstance(failure, UsageError)
    assert fix in failure.fix


def test_a_day_that_is_none_is_explained() -> None:
    assert (
        "'2026-13-01' is not a day: write year, month and day, such as 2026-05-14." in call("x", "--as-of", "2026-13-01").output
    )


def _raised(done: Result) -> None:
    assert done.exception is not None
    raise done.exception


def test_d09_a_query_that_wants_more_memory_than_it_may_take_ends_and_is_explained(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMOAT_MEMORY", "100MB")
    with pytest.raises(UsageError, match="memory"):
        run_apart(replace(settings, memory_limit="100MB"), Query("select len(list(range)) from range(200000000)"))


def test_the_process_of_a_query_is_bounded_by_the_memory_it_may_take_and_two_gibibytes_for_the_program() -> None:
    script = "import resource; from datamoat.views.query_child import _limit_memory as limit; limit({!r}); print(resource.getrlimit(resource.RLIMIT_DATA)[0])"
    for text, n_bytes in (("1.5GB", 1_500_000_000), ("512 MiB", 512 * 2**20)):
        done = subprocess.run([sys.executable, "-c", script.format(text)], capture_output=True, text=True, check=True)
        assert int(done.stdout) == n_bytes + 2 * 2**30


def test_what_cannot_be_opened_is_the_error_it_always_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path))
    with pytest.raises(PublishRefusedError, match="nothing is published yet"):
        run_apart(settings, Query("select 1"))


def test_a_query_whose_process_breaks_is_an_error_with_the_last_line_of_it_or_else_its_code(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "python"
    monkeypatch.setattr(query_child.sys, "executable", str(program))
    for lines, shown in (("one\nanother\n", "another"), ("", "3")):
        program.write_text(f"#!/bin/sh\ncat > {tmp_path / 'order'}\nprintf '{lines}' >&2\nexit 3\n")
        program.chmod(0o755)
        with pytest.raises(UsageError, match=rf"^the query broke its process \({shown}\)") as broken:
            run_apart(settings, Query("select 1"))
        assert "an error of the program" in broken.value.fix
        assert capfd.readouterr().err == lines
