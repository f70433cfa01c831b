"""Every macro gives the same rows however the published file is opened or attached, in the versions of DuckDB that read it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pytest_httpserver import HTTPServer
from werkzeug.utils import send_file

from datamoat.errors import ContentError
from datamoat.project.model import Snippet
from datamoat.project.read import read_project
from datamoat.publish.macros import stored_macro
from datamoat.settings import Settings

CALLS = {
    "as_of_board": "'aa_text_to_video', date '2026-05-14'",
    "leaders_on": "date '2026-05-14'",
    "moat_whatif": "usable_share := 0.1, on_month := date '2026-05-01'",
    "whatif_moat_draws": "",
    "why": "'platform_volume', 'uploads_per_day_p50', 'platform_id=kuaishou; month=2026-05-01; scenario_id=baseline'",
}
VERSIONS = ("1.4.0", "1.4.5", "1.5.0", "1.5.6", "2.0.0", "2.0.1")
# A program that needs DuckDB alone: prints, for each way to reach the file, the number of each macro's rows, a hash of what is no
# float in them, and a sum of the floats of each column that weighs the rows: versions differ in the last bit of a quantile.
PROGRAM = r"""
import hashlib, json, math, sys
import duckdb

calls, path, address = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]


def digests(con, alias, argument):
    found = {}
    for name, arguments in calls.items():
        given = ", ".join(part for part in (arguments, argument) if part)
        rows = con.sql(f"from {alias}marts.{name}({given})").fetchall()
        text = "\n".join(repr([None if isinstance(v, float) else v for v in row]) for row in rows)
        sums = [math.fsum((i % 97 + 1) * v for i, v in enumerate(column) if isinstance(v, float)) for column in zip(*rows)]
        found[name] = [len(rows), hashlib.sha256(text.encode()).hexdigest(), sums]
    return found


made = {}
with duckdb.connect(path, read_only=True) as con:
    made["opened"] = digests(con, "", "")
ways = {"by its own name": ("", "datamoat.", ""), "as d": ("as d", "d.", "db := 'd'"), "as a b": ('as "a b"', '"a b".', "db := 'a b'")}
for target in [path, *([address] if address else [])]:
    for way, (words, alias, argument) in ways.items():
        with duckdb.connect() as con:
            if target == address:
                con.execute("load httpfs")
            con.execute(f"attach '{target}' {words} (read_only)")
            made[f"attached {way} {target == address}"] = digests(con, alias, argument)
            con.execute("use " + alias.rstrip("."))
            made[f"used {way} {target == address}"] = digests(con, "", "")
print(json.dumps(made))
"""


def ways(published: Settings, environment: dict[str, str], address: str = "") -> dict[str, dict[str, list[Any]]]:
    command = [sys.executable, "-c", PROGRAM, json.dumps(CALLS), str(published.published), address]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # before it other versions draw a progress bar


def same(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> bool:
    return all(one[name][:2] == other[name][:2] and one[name][2] == pytest.approx(other[name][2], rel=1e-12) for name in CALLS)


def test_every_macro_of_the_content_is_called_here(checkout: Path) -> None:
    assert {macro.name for macro in read_project(checkout).macros} == set(CALLS)


def test_a_macro_gives_the_same_rows_opened_attached_under_any_name_and_used(published: Settings) -> None:
    found = ways(published, {})
    assert len(found) == 7
    assert all(same(rows, found["opened"]) for rows in found.values())
    assert all(n_rows > 5 for n_rows, *_ in found["opened"].values())


def test_a_macro_works_in_a_file_of_another_name(published: Settings, tmp_path: Path) -> None:
    copy = tmp_path / "my copy.duckdb"
    shutil.copyfile(published.published, copy)
    with duckdb.connect(str(copy), read_only=True) as con:
        assert len(con.sql(f"from marts.leaders_on({CALLS['leaders_on']})").fetchall()) > 5


def test_no_macro_needs_the_json_extension(checkout: Path) -> None:
    for macro in read_project(checkout).macros:
        assert "json" not in macro.sql
        assert "->" not in macro.sql


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_a_macro_gives_the_same_rows_in_other_versions_of_duckdb(published: Settings, tmp_path: Path, version: str) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), f"duckdb=={version}"]
    subprocess.run(pip, check=True, capture_output=True)
    here = {"PYTHONPATH": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-c", "import duckdb; print(duckdb.__version__)"], env={**os.environ, **here}, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert shown.stdout.strip() == version
    found = ways(published, here)
    assert len(found) == 7
    here_and_now = ways(published, {})["opened"]
    assert all(same(rows, here_and_now) for rows in found.values())


@pytest.mark.slow
def test_a_macro_gives_the_same_rows_over_http_where_the_extension_is_installed(
    published: Settings, httpserver: HTTPServer
) -> None:
    with duckdb.connect() as con:
        try:
            con.execute("load httpfs")
        except duckdb.Error:
            pytest.skip("httpfs is not installed on this machine; it comes from DuckDB's extension host")
    httpserver.expect_request("/datamoat.duckdb").respond_with_handler(
        lambda request: send_file(published.published, request.environ, conditional=True)
    )
    found = ways(published, {}, httpserver.url_for("/datamoat.duckdb"))
    assert len(found) == 13
    assert all(same(rows, found["opened"]) for rows in found.values())


MACRO = """create or replace macro marts.few(which, at_most := 3) as table
-- which is a name; it's not text
with picked as (
    select m.n, 'which' || ' from marts.numbers' as which_text
    from marts.numbers as m
    where m.name = which and m.n <= at_most
)

select * from picked"""


@pytest.fixture
def numbers() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("attach ':memory:' as d; create schema d.marts; use d")
    con.execute("create table marts.numbers as select n, 'it''s' as name from range(5) as r(n)")
    con.execute(stored_macro(Snippet("few", Path("few.sql"), MACRO, {}), "datamoat"))
    con.execute("use memory")
    return con


def test_a_parameter_is_replaced_in_the_sql_and_not_in_texts_or_comments(numbers: duckdb.DuckDBPyConnection) -> None:
    rows = numbers.sql("from d.marts.few('it''s', at_most := 1, db := 'd') order by n").fetchall()
    assert [n for n, _ in rows] == [0, 1]
    assert rows[0][1].startswith("which from")
    assert numbers.sql("from d.marts.few('other', db := 'd')").fetchall() == []
    assert len(numbers.execute("from d.marts.few(?, at_most := ?, db := 'd')", ["it's", 2]).fetchall()) == 3


def test_a_value_cannot_change_the_statement(numbers: duckdb.DuckDBPyConnection) -> None:
    assert numbers.sql("from d.marts.few(''' or true or ''', db := 'd')").fetchall() == []


@pytest.mark.parametrize(
    "sql", ["create or replace macro marts.one() as (select 1)", "create or replace macro marts.few(db) as table select 1"]
)
def test_a_macro_that_cannot_be_stored_is_refused(sql: str) -> None:
    with pytest.raises(ContentError, match="not a table macro that can be stored"):
        stored_macro(Snippet("few", Path("few.sql"), sql, {}), "datamoat")
