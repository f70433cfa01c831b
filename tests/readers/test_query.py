"""A query has limits that hold: it runs in a process of its own, which is ended."""

import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

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
    columns, rows = run_apart(settings, Query(sql))
    assert columns == ("a", "b", "c", "d")
    assert [(float(a), b.isoformat(), c, d) for a, b, c, d in rows] == [(1.5, "2026-03-01", [1, 2], None)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select sum(a.range * b.range) from range(10000000) a, range(10000000) b", "ran longer than 1 s"),
        ("select len(list_sort(list_reverse(range(0, 100000000))))", "ran longer than 1 s and was ended"),
        ("from nothing", "Table with name nothing does not exist"),
        ("create table t as select 1", "read-only"),
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


def test_d09_a_query_that_wants_more_memory_than_it_may_take_ends_and_is_explained(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAMOAT_MEMORY", "100MB")
    with pytest.raises(UsageError, match="memory"):
        run_apart(replace(settings, memory_limit="100MB"), Query("select len(list(range)) from range(200000000)"))


def test_what_cannot_be_opened_is_the_error_it_always_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATAMOAT_DATA", str(tmp_path))
    with pytest.raises(PublishRefusedError, match="nothing is published yet"):
        run_apart(settings, Query("select 1"))
