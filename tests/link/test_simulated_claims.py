"""Claims on made tables: what the queries say where the real boards do not go."""

from pathlib import Path

import duckdb
import pytest

TABLES = """
    create schema marts;
    create table marts.board_status (
        board_id varchar, board_family varchar, captured_on date, status varchar, leader_entry_name varchar, leader_company_id varchar
    );
    create table marts.company_moat (
        board_id varchar, captured_on date, scale_id varchar, scenario_id varchar, company_id varchar, country varchar,
        best_rating double, best_rating_se double, best_entry_name varchar
    );
    create table marts.platform_volume (
        platform_id varchar, platform_class varchar, is_in_totals boolean, scenario_id varchar, basis varchar, month date
    );
    create table marts.platform_observation (
        fact_id varchar, platform_id varchar, metric varchar, verification varchar, value double, period_end_on date
    );
"""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute(TABLES)
    return made


def verdicts(con: duckdb.DuckDBPyConnection, checkout: Path, claim_id: str) -> list[str]:
    text = (checkout / "data" / "reference" / "claim_queries" / f"{claim_id}.sql").read_text(encoding="utf-8")
    return [verdict for _, _, verdict, *_ in con.sql(text).fetchall()]


def lead(con: duckdb.DuckDBPyConnection, day: str, company: str) -> None:
    con.execute("insert into marts.board_status values ('b', 'video', ?, 'ok', 'entry', ?)", [day, company])
    country = {"openai": "US", "kuaishou": "CN"}[company]
    row = [day, company, country]
    con.execute("insert into marts.company_moat values ('b', ?, 's', 'baseline', ?, ?, 1000, 4, 'entry')", row)


def test_a_leader_of_many_captures_in_few_days_did_not_lead_for_most_of_the_time(
    con: duckdb.DuckDBPyConnection, checkout: Path
) -> None:
    lead(con, "2025-06-01", "kuaishou")
    for day in range(1, 11):
        lead(con, f"2026-04-{day:02d}", "openai")
    lead(con, "2026-05-10", "kuaishou")
    assert verdicts(con, checkout, "western-dominance-over") == ["false"]


def test_a_leader_of_most_days_led_although_read_once(con: duckdb.DuckDBPyConnection, checkout: Path) -> None:
    lead(con, "2025-06-01", "openai")
    for day in range(1, 11):
        lead(con, f"2026-04-{day:02d}", "kuaishou")
    lead(con, "2026-05-10", "kuaishou")
    assert verdicts(con, checkout, "western-dominance-over") == ["true"]


@pytest.mark.parametrize(
    ("first", "later", "given"),
    [(10.0, 30.0, "true"), (10.0, 5.0, "false"), (-143.0, -37.0, "false"), (-20.0, 5.0, "true"), (10.0, 10.0, "cannot_tell")],
)
def test_a_lead_grows_only_where_there_is_one(
    con: duckdb.DuckDBPyConnection, checkout: Path, first: float, later: float, given: str
) -> None:
    for day, gap in (("2026-04-01", first), ("2026-05-01", later)):
        con.execute("insert into marts.board_status values ('b', 'video', ?, 'ok', 'entry', 'kuaishou')", [day])
        for company, country, rating in (("kuaishou", "CN", 1000 + gap), ("openai", "US", 1000.0)):
            row = [day, company, country, rating]
            con.execute("insert into marts.company_moat values ('b', ?, 's', 'baseline', ?, ?, ?, 4, 'entry')", row)
    assert verdicts(con, checkout, "gap-widened") == ["not_testable", given]


def test_the_leader_owns_by_the_ownership_table_and_a_leader_of_unknown_company_decides_nothing(
    con: duckdb.DuckDBPyConnection, checkout: Path
) -> None:
    con.execute("alter table marts.company_moat add column company_name varchar")
    for column, kind in (("company_rank", "integer"), ("owns_platform", "boolean"), ("has_platform", "boolean")):
        con.execute(f"alter table marts.company_moat add column {column} {kind}")
    for day, leader in (
        ("2026-04-01", "alibaba"),
        ("2026-04-02", "openai"),
        ("2026-04-03", "unmatched:someone"),
        ("2026-04-04", None),
    ):
        con.execute("insert into marts.board_status values ('b', 'video', ?, 'ok', 'entry', ?)", [day, leader])
        first = leader if leader in {"alibaba", "openai"} else "alibaba"  # the best of the known companies
        con.execute(
            "insert into marts.company_moat by name select 'b' as board_id, ?::date as captured_on, 'baseline' as scenario_id,"
            " ? as company_id, ? as company_name, 1 as company_rank, ? as owns_platform, false as has_platform",
            [day, first, first, first == "alibaba"],
        )
    assert verdicts(con, checkout, "only-platform-owners-lead") == ["true", "false", "not_testable", "not_testable"]


@pytest.mark.parametrize(
    ("stated", "given"),
    [
        ([], "no_data"),
        ([("a", 4e8, "2025-12-31")], "cannot_tell"),
        ([("a", 4e8, "2025-12-31"), ("b", 9e8, "2025-12-31")], "false"),
        ([("a", 4e8, "2025-12-31"), ("b", 1.7e9, "2025-12-31")], "cannot_tell"),
        ([("a", 2.1e9, "2025-12-31")], "true"),
        ([("a", 2.1e9, "2020-12-31"), ("a", 4e8, "2025-12-31")], "cannot_tell"),
    ],
)
def test_users_of_platforms_that_state_none_are_not_zero(
    con: duckdb.DuckDBPyConnection, checkout: Path, stated: list[tuple[str, float, str]], given: str
) -> None:
    con.execute("insert into marts.board_status values ('b', 'video', '2026-05-01', 'ok', 'entry', 'kuaishou')")
    for platform, basis in (("a", "measured"), ("b", "reported"), ("c", "prior_only")):  # nobody counted anything on c
        con.execute("insert into marts.platform_volume values (?, 'short', true, 'baseline', ?, '2026-05-01')", [platform, basis])
    for number, (platform, value, day) in enumerate(stated):
        row = [f"F{number}", platform, value, day]
        con.execute("insert into marts.platform_observation values (?, ?, 'daily_active_users', 'confirmed', ?, ?)", row)
    assert verdicts(con, checkout, "billions-of-users-a-day") == [given]


def test_shorts_and_reels_are_among_the_short_videos_of_a_day(con: duckdb.DuckDBPyConnection, checkout: Path) -> None:
    con.execute(
        "create table marts.platform_volume_draws (platform_id varchar, month date, draw integer, uploads_per_day double)"
    )
    for platform, kind, is_in_totals, basis, uploads in (
        ("tiktok", "short", True, "measured", 1.2e9),
        ("reels", "short", False, "reported", 0.9e9),
        ("youtube", "long", True, "reported", 9e9),
        ("guessed", "short", True, "prior_only", 9e9),
    ):
        row = [platform, kind, is_in_totals, basis]
        con.execute("insert into marts.platform_volume values (?, ?, ?, 'baseline', ?, '2026-05-01')", row)
        con.execute("insert into marts.platform_volume_draws values (?, '2026-05-01', 1, ?)", [platform, uploads])
    assert verdicts(con, checkout, "billions-of-videos-a-day") == ["true"]
    con.execute("update marts.platform_volume_draws set uploads_per_day = 0.7e9 where platform_id = 'reels'")
    assert verdicts(con, checkout, "billions-of-videos-a-day") == ["false"]
