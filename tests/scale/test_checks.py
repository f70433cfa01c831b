"""The checks of decisions by day find what they are for, and leave alone what a declared event explains."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datamoat.project.sql import split_header

FIRST = date(2025, 6, 1)


def offending(checkout: Path, name: str, tables: dict[str, tuple[str, list[tuple[Any, ...]]]]) -> list[tuple[Any, ...]]:
    """Run a check on tables given by their columns and rows."""
    _, sql = split_header(checkout / "expectations" / "checks" / f"{name}.sql")
    with duckdb.connect() as con:
        for table, (columns, rows) in tables.items():
            con.execute(f"create schema if not exists {table.split('.', maxsplit=1)[0]}")
            con.execute(f"create table {table} ({columns})")
            if rows:
                con.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)
        return con.sql(sql).fetchall()


@pytest.mark.parametrize(("n_later", "is_found"), [(989, True), (990, False), (2_000, False)])
def test_a_later_vintage_may_lose_one_per_cent(checkout: Path, n_later: int, is_found: bool) -> None:
    rows = [(FIRST, FIRST + timedelta(days=1), 1_000), (FIRST, FIRST + timedelta(days=20), n_later)]
    table = ("received_on date, captured_on date, n_statements bigint", rows)
    found = offending(
        checkout, "a_later_vintage_of_a_day_has_no_fewer_decisions", {"staging.stg_dsa_aggregates__statements": table}
    )
    assert [row[-1] for row in found] == ([n_later] if is_found else [])


@pytest.mark.parametrize(("n_last", "is_found"), [(39, True), (40, False), (250, False), (251, True)])
@pytest.mark.parametrize("has_event", [False, True])
def test_a_day_far_from_its_usual_level_is_found_unless_an_event_is_near(
    checkout: Path,
    n_last: int,
    is_found: bool,
    has_event: bool,
) -> None:
    last = FIRST + timedelta(days=14)
    rows = [("tiktok", FIRST + timedelta(days=day), "aggregate", 100) for day in range(14)]
    days = (
        "platform_id varchar, received_on date, moderation_basis varchar, n_statements bigint",
        [*rows, ("tiktok", last, "aggregate", n_last)],
    )
    events = ("platform_id varchar, starts_on date", [("tiktok" if has_event else "youtube", last - timedelta(days=7))])
    found = offending(
        checkout,
        "a_day_of_decisions_is_within_its_usual_range",
        {"marts.moderation_day": days, "staging.stg_reference__platform_events": events},
    )
    assert [row[2] for row in found] == ([last] if is_found and not has_event else [])


def test_an_estimate_of_hours_that_reads_decisions_through_another_table_is_found(checkout: Path) -> None:
    columns = "layer varchar, table_name varchar, from_table varchar"
    chain = [
        ("marts", "company_volume", "intermediate.int_x"),
        ("intermediate", "int_x", "staging.stg_dsa_statements__statements"),
    ]
    apart = [
        ("marts", "company_volume", "intermediate.int_y"),
        ("marts", "moderation_day", "staging.stg_dsa_statements__statements"),
    ]
    name = "no_estimate_of_hours_reads_a_decision"
    assert offending(checkout, name, {"meta.lineage": (columns, chain)}) != []
    assert offending(checkout, name, {"meta.lineage": (columns, apart)}) == []


def test_one_table_of_recipients_under_two_names_is_found_and_a_few_equal_values_are_not(checkout: Path) -> None:
    columns = "platform_id varchar, geography varchar, n_active_users bigint"

    def found(n_equal: int) -> list[tuple[Any, ...]]:
        rows = [(platform, f"S{n}", 100_000 * n + (n >= n_equal) * m) for m, platform in enumerate("ab") for n in range(28)]
        table = {"staging.stg_eu_active_recipients__recipients": (columns, [*rows, ("a", "none", None), ("b", "none", None)])}
        return offending(checkout, "no_two_platforms_have_one_table_of_recipients", table)

    assert found(28) == [("a", "b", 28)]
    assert found(15) == [("a", "b", 15)]
    assert found(14) == []
