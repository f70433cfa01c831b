"""What a publication is made of, each part by itself: differences, causes, generated checks, results, stored macros."""

import io
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import duckdb
import polars as pl
import pytest

from datamoat.build.record import Build
from datamoat.errors import AuditFailedError, ContentError
from datamoat.project.model import Column, Project, Snippet, Table
from datamoat.publish import contracts, gx_worker
from datamoat.publish.changes import write_change
from datamoat.publish.contracts import SHOWN_ROWS, as_json, cache_key, compared_with_published, contract
from datamoat.publish.diff import Difference, changed_rows, differences
from datamoat.publish.gx_worker import Worker
from datamoat.publish.macros import ALIAS, VALUE, stored_macro
from datamoat.publish.results import AUDIT_FILE, Audit, Result, examine_audit, read_audit, write_audit
from datamoat.settings import Settings
from datamoat.storage.warehouse import Published

SIDES = {
    "before": "(1, 'x', 1.5, true, 0), (2, 'y', null, true, 0), (3, 'z', 3.5, false, 0)",
    "after": "(1, 'x', 1.5, false, 9), (2, 'y', 2.5, false, 9), (4, 'w', 4.5, false, 9), (5, 'v', null, false, 9)",
}


@pytest.fixture
def two_builds() -> duckdb.DuckDBPyConnection:
    """Return a connection with two builds of a mart whose key is two columns, and of one without other columns."""
    con = duckdb.connect()
    for side, values in SIDES.items():
        con.execute(f"attach ':memory:' as {side}; create schema {side}.marts; create schema {side}.meta")
        last = "old_only" if side == "before" else "new_only"
        con.execute(f"create table {side}.marts.m as select * from (values {values}) as t(a, b, v, w, {last})")
        con.execute(f"create table {side}.marts.keys as select range as k from range({2 if side == 'before' else 3})")
        con.execute(
            f"create table {side}.meta.models as select * from (values ('marts', 'm', ['a', 'b']), ('marts', 'keys', ['k']),"
            " ('staging', 's', ['k'])) as t(layer, table_name, grain)"
        )
    return con


def test_a_mart_is_compared_by_its_key_column_by_column(two_builds: duckdb.DuckDBPyConnection) -> None:
    keys, one = differences(two_builds)
    assert keys == Difference("keys", 2, 3, 1, 0, 0, {})
    assert one == Difference("m", 3, 4, 2, 1, 2, {"v": 1, "w": 2}, ("new_only",), ("old_only",))
    assert one.summary == "v (1), w (2), +new_only, -old_only"
    columns, rows = changed_rows(two_builds, "m", 20)
    assert columns == ["a", "b", "column_name", "value_before", "value_after"]
    assert rows == [
        ("1", "x", "w", "true", "false"), ("2", "y", "v", None, "2.5"), ("2", "y", "w", "true", "false"), ("3", "z", "v", "3.5", None),
        ("3", "z", "w", "false", None), ("4", "w", "v", None, "4.5"), ("4", "w", "w", None, "false"), ("5", "v", "w", None, "false"),
    ]  # fmt: skip
    assert changed_rows(two_builds, "m", 2)[1] == rows[:2]
    assert changed_rows(two_builds, "keys", 2) == ([], [])


@pytest.mark.parametrize("field", ["n_added", "n_removed", "n_changed", "added_columns", "removed_columns"])
def test_any_one_thing_that_differs_is_a_difference(field: str) -> None:
    none = Difference("m", 1, 1, 0, 0, 0, {})
    assert none.is_none
    assert not replace(none, **{field: ("c",) if field.endswith("columns") else 1}).is_none


LINEAGE = [
    ("marts", "m", "v", "staging.s", "x"), ("staging", "s", "x", "raw.reference__facts", "x"),
    ("marts", "m", "w", "staging.s", "y"), ("staging", "s", "y", "raw.reference__names", "y"),
    ("marts", "m", "u", "intermediate.p", "u"), ("intermediate", "p", "u", "raw.press__page", "u"),
    ("marts", "m", "t", "staging.q", "t"), ("staging", "q", "t", "meta.snapshots", "t"),
    ("marts", "m", "r", "staging.rules", "r"), ("staging", "rules", "r", "raw.reference__rules", "r"),
]  # fmt: skip
READS = {
    "m": ["staging.s"], "s": ["raw.reference__facts", "raw.reference__names"], "p": ["raw.press__page"], "q": ["meta.snapshots"],
    "rules": ["raw.reference__rules"],
}  # fmt: skip
LAYERS = {"m": "marts", "s": "staging", "p": "intermediate", "q": "staging", "rules": "staging"}
CONFIG = {"causes": {"method": ["reference__rules"], "entity_merge": ["reference__names"]}}
COLUMNS = ("v", "w", "u", "t", "r", "n")  # n is a count: it comes from no column


def write_side(con: duckdb.DuckDBPyConnection, place: str, build_id: str, as_of: str, change: dict[str, Any]) -> None:
    """Write one build: every value of it is its number, so that each column differs."""
    con.execute(f"create schema {place}marts; create schema {place}meta")
    con.execute(f"create table {place}meta.build as select '{build_id}' as build_id, date '{as_of}' as as_of")
    number = 1 if build_id == "old" else 2
    rows = ", ".join(
        f"('k{i}', date '{day}', {', '.join([str(number)] * len(COLUMNS))})"
        for i, day in enumerate(change.get("rows", ["2026-01-01"]))
    )
    con.execute(f"create table {place}marts.m as select * from (values {rows}) as t(k, day, {', '.join(COLUMNS)})")
    con.execute(f"create table {place}marts.m_draws as select 1 as draw, {number} as v")
    con.execute(f"create table {place}marts.other_key as select 1 as k, {number} as v")
    texts = {name: change.get(name, "same") for name in LAYERS}
    models = [
        (LAYERS[name], name, ["k", "day"], texts[name], READS[name], f"{name}.{'py' if name == 'p' else 'sql'}")
        for name in LAYERS
    ]
    models += [
        ("marts", "m_draws", ["draw"], "same", [], "d.sql"),
        ("marts", "other_key", [change.get("key", "k")], "same", [], "o.sql"),
    ]
    con.execute(
        f"create table {place}meta.models (layer varchar, table_name varchar, grain varchar[], model_text varchar, reads varchar[], path varchar)"
    )
    con.executemany(f"insert into {place}meta.models values (?, ?, ?, ?, ?, ?)", models)
    con.execute(
        f"create table {place}meta.lineage (layer varchar, table_name varchar, column_name varchar, from_table varchar, from_column varchar)"
    )
    con.executemany(f"insert into {place}meta.lineage values (?, ?, ?, ?, ?)", LINEAGE)
    con.execute(f"create table {place}meta.inputs (input varchar, sha256 varchar)")
    inputs = {"as_of": "a", "code": "c", "settings": "s", "engine": "e", "snapshots": "n", "numpy": "v"} | change.get(
        "inputs", {}
    )
    con.executemany(f"insert into {place}meta.inputs values (?, ?)", list(inputs.items()))
    con.execute(f"create table {place}meta.input_rows (input varchar, row_key varchar, row_md5 varchar)")
    listed = {("reference/facts.csv", "f1"): "1", ("reference/names.csv", "n1"): "1", ("reference/rules.csv", "r1"): "1"}
    listed |= change.get("input_rows", {})
    con.executemany(
        f"insert into {place}meta.input_rows values (?, ?, ?)",
        [(*key, value) for key, value in listed.items() if value is not None],
    )


def causes(tmp_path: Path, change: dict[str, Any], was: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the differences of two builds, of which the newer has a change."""
    with duckdb.connect(str(tmp_path / "old.duckdb")) as con:
        write_side(con, "", "old", "2026-02-01", was or {})
    with duckdb.connect(str(tmp_path / "new.duckdb")) as con:
        write_side(con, "", "new", "2026-03-01", change)
        write_change(con, tmp_path / "old.duckdb", CONFIG)
        found = con.sql("from marts.change").fetchall()
        assert con.sql("from marts.change order by table_name, row_key, column_name").fetchall() == found
        return found


FACT, NAME, RULE = (("reference/facts.csv", "f1"), ("reference/names.csv", "n1"), ("reference/rules.csv", "r1"))
NONE: dict[str, tuple[str, ...]] = dict.fromkeys(COLUMNS, ("method",))
MOVED = {
    "nothing that is known": ({}, NONE),
    "a fact": ({"input_rows": {FACT: "2"}}, {**NONE, "v": ("correction",), "n": ("correction",)}),
    "a fact that was removed": ({"input_rows": {FACT: None}}, {**NONE, "v": ("correction",), "n": ("correction",)}),
    "a fact that was added": ({"input_rows": {("reference/facts.csv", "f2"): "1"}}, {**NONE, "v": ("source",), "n": ("source",)}),
    "a fact that was added and one that changed": (
        {"input_rows": {("reference/facts.csv", "f2"): "1", FACT: "2"}}, {**NONE, "v": ("correction", "source"), "n": ("correction", "source")},
    ),
    "a name": ({"input_rows": {NAME: "2"}}, {**NONE, "w": ("entity_merge",), "n": ("entity_merge",)}),
    "a rule of ours": ({"input_rows": {RULE: "2"}}, NONE),
    "a fact and a name": (
        {"input_rows": {FACT: "2", NAME: "2"}},
        {**NONE, "v": ("correction",), "w": ("entity_merge",), "n": ("entity_merge", "correction")},
    ),
    "a model above some columns": (
        {"s": "other", "input_rows": {FACT: "2"}}, {**NONE, "v": ("method", "correction"), "n": ("method", "correction")},
    ),
    "a response": ({"inputs": {"snapshots": "2"}}, {**NONE, "u": ("source",), "t": ("source",)}),
    "the day": ({"inputs": {"as_of": "2"}}, dict.fromkeys(COLUMNS, ("new_period",))),
    "the day and a fact": (
        {"inputs": {"as_of": "2"}, "input_rows": {FACT: "2"}},
        {**dict.fromkeys(COLUMNS, ("new_period",)), "v": ("correction",), "n": ("correction",)},
    ),
    "the code of programs and a response": (
        {"inputs": {"code": "2", "snapshots": "2"}}, {**NONE, "u": ("method", "source"), "t": ("source",)},
    ),
    "the settings of programs and a response": (
        {"inputs": {"settings": "2", "snapshots": "2"}}, {**NONE, "u": ("method", "source"), "t": ("source",)},
    ),
    "the engine and a response": (
        {"inputs": {"engine": "2", "snapshots": "2"}}, {**NONE, "u": ("method", "source"), "t": ("method", "source")},
    ),
    "a library and a fact": (
        {"inputs": {"numpy": "2"}, "input_rows": {FACT: "2"}}, {**NONE, "v": ("method", "correction"), "n": ("method", "correction")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MOVED)
def test_a_difference_has_the_causes_its_column_is_computed_from_the_first_as_cause(tmp_path: Path, what: str) -> None:
    change, wanted = MOVED[what]
    found = causes(tmp_path, change)
    assert found == [
        ("new", "old", table, key, column, "1", "2", cause, list(others))
        for table, key, names in (("m", "k=k0; day=2026-01-01", sorted(COLUMNS)), ("other_key", "k=1", ["v"]))
        for column in names
        for cause, *others in [wanted[column] if table == "m" else without_lineage(what)]
    ]


def without_lineage(what: str) -> tuple[str, ...]:
    """Return the causes of a mart that reads nothing: only what moves everything moves it."""
    return ("new_period",) if what.startswith("the day") else ("method",)


def test_rows_that_were_added_or_removed_are_whole_and_one_after_the_earlier_day_is_a_new_period(tmp_path: Path) -> None:
    days = ["2026-01-01", "2026-02-01", "2026-02-02"]
    found = causes(tmp_path, {"rows": days, "key": "v", "input_rows": {FACT: "2", NAME: "2"}}, {"rows": days[:1]})
    assert [(key, *rest) for _, _, table, key, column, *rest in found if column == "*" and table == "m"] == [
        ("k=k1; day=2026-02-01", None, "present", "entity_merge", ["correction"]),
        ("k=k2; day=2026-02-02", None, "present", "new_period", []),
    ]
    assert {table for _, _, table, *_ in found} == {"m"}  # a mart with another key is not compared, and draws never are
    (tmp_path / "other").mkdir()
    gone = causes(tmp_path / "other", {"rows": days[:1], "input_rows": {FACT: None}}, {"rows": days})
    assert [(key, *rest) for _, _, table, key, column, *rest in gone if column == "*"] == [
        ("k=k1; day=2026-02-01", "present", None, "correction", []),
        ("k=k2; day=2026-02-02", "present", None, "correction", []),
    ]


def test_without_a_build_before_or_with_one_that_kept_no_rows_there_is_an_empty_table(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "bare.duckdb")) as con:
        con.execute("create table t as select 1 as a")
    for before in (None, tmp_path / "bare.duckdb"):
        with duckdb.connect() as con:
            con.execute("create schema marts")
            write_change(con, before, {})
            assert con.sql("from marts.change").fetchall() == []
            assert [row[1] for row in con.sql("describe marts.change").fetchall()][-1] == "VARCHAR[]"
            nullable = con.sql("select column_name from duckdb_columns() where table_name = 'change' and is_nullable").fetchall()
            assert nullable == [("old_value",), ("new_value",)]
            assert con.sql(
                "select count(*) from duckdb_columns() where table_name = 'change' and comment is null"
            ).fetchall() == [(0,)]
            assert con.sql("select database_name from duckdb_databases() where database_name = 'before'").fetchall() == []


WORDS = {
    "k": Column("k", "INTEGER", "A key."), "kind": Column("kind", "VARCHAR", "A kind.", values=("a", "b")), "v": Column("v", "DOUBLE", "A value."),
}  # fmt: skip
MART = Table("m", "marts", "A mart.", ("k",), frozenset({"v"}), min_rows=2, max_rows=3)


def checked(rows: str, table: Table = MART) -> dict[str, tuple[bool, int, str | None]]:
    """Return how the generated checks of a table come out, by name."""
    with duckdb.connect() as con:
        con.execute("create schema marts")
        con.execute(f"create table marts.m as select * from (values {rows}) as t(k, kind, v)")
        found = contract(con, Project(Path(), (), WORDS), table)
    assert {(one["table_name"], one["kind"], one["severity"]) for one in found} == {("marts.m", "contract", "critical")}
    return {one["check_name"]: (one["is_ok"], one["n_offending"], one["offending"]) for one in found}


UNIQUE, NULLS = "k is unique", "columns that the header does not call nullable are never null"
BOUNDS, LISTED = "at least 2 and at most 3 rows", "kind hold only the values that the dictionary lists"


def test_a_table_that_keeps_its_promises_passes_each_generated_check() -> None:
    assert checked("(1, 'a', null), (2, 'b', 0.5)") == dict.fromkeys((UNIQUE, BOUNDS, NULLS, LISTED), (True, 0, None))
    plain = replace(MART, min_rows=0, max_rows=None)
    assert list(checked("(1, 'a', null)", plain)) == [UNIQUE, "at least 0 rows", NULLS, LISTED]


@pytest.mark.parametrize(("n", "is_ok"), [(1, False), (2, True), (3, True), (4, False)])
def test_the_rows_of_a_table_are_bounded_on_both_sides(n: int, is_ok: bool) -> None:
    assert checked(", ".join(f"({k}, 'a', 1.0)" for k in range(n)))[BOUNDS] == (is_ok, 0, None)


def test_rows_that_break_a_promise_are_counted_and_the_first_five_named() -> None:
    many = ", ".join(f"({k}, 'a', 1.0), ({k}, 'a', 2.0)" for k in range(7, 0, -1))
    doubled = as_json(pl.DataFrame({"k": [1, 2, 3, 4, 5], "n": [2] * 5}))
    assert SHOWN_ROWS == 5
    assert checked(many)[UNIQUE] == (False, 7, doubled)
    found = checked("(2, null, null), (1, 'c', null), (null, 'd', null), (3, 'a', 1.0)")
    assert found[NULLS] == (False, 2, '[{"k": 2, "kind": null}, {"k": null, "kind": "d"}]')
    assert found[LISTED] == (False, 2, '[{"k": 1, "kind": "c"}, {"k": null, "kind": "d"}]')
    one = checked("(2, null, null), (1, 'a', null)")
    assert one[NULLS] == (False, 1, '[{"k": 2, "kind": null}]')
    assert one[LISTED] == (True, 0, None)


def test_what_a_check_depends_on_gives_its_result_another_key() -> None:
    build = made({"m": 1})
    project = Project(Path(), (), WORDS)
    keys = {
        cache_key(project, table, one)
        for table in (MART, replace(MART, max_rows=None), replace(MART, min_rows=1), replace(MART, nullable=frozenset()), replace(MART, grain=("v",)))
        for one in (build, made({"m": 1}, sha256="other"))
    }  # fmt: skip
    assert len(keys) == 10
    other = Project(Path(), (), {**WORDS, "kind": replace(WORDS["kind"], values=("a",))})
    assert cache_key(other, MART, build) not in keys
    assert cache_key(project, MART, build) in keys
    assert cache_key(project, replace(MART, description="Another."), build) in keys


def made(rows: dict[str, int], sha256: str = "s") -> Build:
    """Return the record of a build with so many rows a mart."""
    tables = {f"marts.{name}": {"n_rows": n, "sha256": sha256} for name, n in rows.items()}
    return Build("b", date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC), {}, tables, {})


@pytest.mark.parametrize(
    ("was", "now", "vanishes", "shrinks"),
    [(100, 90, True, True), (100, 89, True, False), (100, 1, True, False), (100, 0, False, False), (0, 0, True, True), (1, 0, False, False)],
)  # fmt: skip
def test_a_mart_may_lose_a_tenth_of_its_rows_and_not_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, was: int, now: int, vanishes: bool, shrinks: bool
) -> None:
    before = Published("old", date(2026, 1, 1), 1, "s", 1, "m", {"m": {"n_rows": was, "content_hash": "h"}}, Path("x"))
    monkeypatch.setattr(contracts, "published_build", lambda _: before)
    assert compared_with_published(settings, made({"m": now})) == []  # nothing is published
    settings.warehouse.mkdir(parents=True)
    settings.published.write_bytes(b"x")
    reason = f"It had {was:,} rows when last published and has {now:,} now."
    assert compared_with_published(settings, made({"m": now})) == [
        Result("marts.m", "a table that readers had does not become empty or vanish", "contract", "critical", reason, vanishes),
        Result("marts.m", "a tenth of the published rows does not vanish in one step", "contract", "warning", reason, shrinks),
    ]
    assert not compared_with_published(settings, made({}))[0].is_ok or was == 0
    monkeypatch.setattr(contracts, "published_build", lambda _: None)
    (found,) = compared_with_published(settings, made({"m": now}))
    assert (found.table_name, found.severity, found.is_ok) == ("meta.build", "warning", False)


def test_results_are_told_apart_by_severity_and_written_with_their_rows(settings: Settings) -> None:
    good = Result("marts.b", "one", "check", "critical", "Because.", is_ok=True, seconds=1.0)
    critical = Result("marts.a", "two", "contract", "critical", "Why not.", is_ok=False, n_offending=1234, offending="[1]")
    warning = Result("marts.a", "three", "check", "warning", "So.", is_ok=False)
    audit = Audit("b", (good, critical, warning))
    assert (audit.critical, audit.warnings) == ((critical,), (warning,))
    assert str(critical) == "  marts.a: two\n    why: Why not.\n    rows (1,234): [1]"
    assert str(warning) == "  marts.a: three\n    why: So."
    assert examine_audit(settings.lake) == [(True, "audit: there is none of the build in the lake", "`datamoat audit`")]
    with pytest.raises(AuditFailedError, match="this build was not audited"):
        read_audit(settings.lake)
    path = settings.lake / "meta" / "audits.parquet"
    path.parent.mkdir(parents=True)
    write_audit(settings, audit)
    assert read_audit(settings.lake) == audit
    assert pl.read_parquet(path)["check_name"].to_list() == ["three", "two", "one"]
    assert examine_audit(settings.lake) == [(True, "audit: of build b, as it was written", "")]
    path.write_bytes(b"other")
    what = f"lake: {AUDIT_FILE} or the table of its results is damaged"
    assert examine_audit(settings.lake) == [(False, what, "`datamoat audit` makes both again")]
    path.unlink()
    with pytest.raises(AuditFailedError, match="was not audited"):
        read_audit(settings.lake)


def test_a_macro_is_stored_as_text_with_its_alias_and_its_arguments_in_their_places() -> None:
    sql = (
        "create or replace macro marts.near(place, n := 3) as table\n"
        "select 'from marts.x' as t, place, 0 as p -- from marts.y\n"
        'from marts.m join meta."q" using (k) where v = place limit n'
    )
    alias, place, n = ALIAS.format(name="d"), VALUE.format(name="place"), VALUE.format(name="n")
    stored = stored_macro(Snippet("near", Path("near.sql"), sql, {}), "d")
    assert stored == (
        "create or replace macro marts.near(place, n := 3, db := null) as table\n"
        f"from query('select ' || '''from ' || {alias} || 'marts.x''' || ' as t, ' || {place} || ', 0 as p ' || '\nfrom ' || {alias}"
        f" || 'marts.m join ' || {alias} || 'meta.\"q\" using (k) where v = ' || {place} || ' limit ' || {n})"
    )


@pytest.mark.parametrize(
    "head", ["create macro marts.x() as table select 1", "create or replace macro marts.x(db) as table select 1"]
)
def test_what_is_no_table_macro_is_refused(head: str) -> None:
    with pytest.raises(ContentError, match="this is not a table macro that can be stored"):
        stored_macro(Snippet("x", Path("x.sql"), head, {}), "d")


def test_an_expectation_without_a_reason_is_an_error_of_its_file_not_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.py"
    path.write_text("class Bare:\n    notes, severity = None, 'critical'\n\n\nEXPECTATIONS = [Bare()]\n")
    for library in ("great_expectations", "great_expectations.expectations"):
        monkeypatch.setitem(sys.modules, library, MagicMock())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    answers = sys.stdout
    worker = Worker.__new__(Worker)  # without its process

    def communicate(jobs: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(jobs))
        gx_worker._work()
        return answers.getvalue(), ""

    monkeypatch.setattr(worker, "_process", SimpleNamespace(communicate=communicate), raising=False)
    with pytest.raises(ContentError, match="Bare has no reason or severity") as refused:
        worker.validate([{"expectations": str(path)}])
    assert (refused.value.where, refused.value.fix) == (str(path), "correct the file of expectations.")
