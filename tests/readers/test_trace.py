"""Every published number leads to a page, an assumption or a file, and `trace` lists them."""

import json
import re
import time
from pathlib import Path

import duckdb
import pytest

from datamoat.errors import UsageError
from datamoat.project.read import read_project
from datamoat.settings import Settings
from datamoat.storage.warehouse import open_published
from datamoat.views.trace import drawn, lineage_of, trace_number

NUMBERS = ("DOUBLE", "FLOAT", "BIGINT", "INTEGER")


@pytest.fixture(scope="module")
def con(published: Settings) -> duckdb.DuckDBPyConnection:
    return open_published(published)


def numeric_columns(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    listed = ", ".join(f"'{kind}'" for kind in NUMBERS)
    return con.sql(
        f"select table_name, column_name from meta.columns where layer = 'marts' and type in ({listed}) order by all"
    ).fetchall()


def test_every_number_of_every_mart_leads_to_an_input_with_a_hash(con: duckdb.DuckDBPyConnection) -> None:
    found = {(table, column): lineage_of(con, table, column)[1] for table, column in numeric_columns(con)}
    assert len(found) > 200
    assert [key for key, inputs in found.items() if not inputs] == []
    assert all(digest for inputs in found.values() for digest in inputs.values())


def test_the_title_of_a_source_leads_to_the_file_of_sources_and_to_the_snapshots(con: duckdb.DuckDBPyConnection) -> None:
    path, inputs = lineage_of(con, "source_freshness", "title")
    assert path == ("meta.snapshots", "meta.sources", "intermediate.int_source__freshness", "marts.source_freshness")
    assert inputs == dict(
        con.sql("select input, sha256 from meta.inputs where input in ('snapshots', 'reference/sources.csv')").fetchall()
    )
    assert len(inputs) == 2
    assert "reference/sources.csv" not in lineage_of(con, "company_volume", "usable_hours_p50")[1]


def test_the_checks_of_reasons_name_every_mart_that_has_them(checkout: Path, con: duckdb.DuckDBPyConnection) -> None:
    with_ids = set(
        con.sql(
            "select table_name, column_name from meta.columns where layer = 'marts'"
            " and column_name in ('citation_ids', 'citation_id', 'assumption_ids', 'assumption_id')"
        ).fetchall()
    )
    checks = "\n".join(s.sql for s in read_project(checkout).checks if s.name.endswith("_that_a_mart_names_resolves"))
    assert set(re.findall(r"'marts\.(\w+)\.(\w+)'", checks)) == with_ids


@pytest.mark.parametrize(
    ("number", "where"),
    [
        ("company_volume.usable_hours_p50", ["company_id=kuaishou"]),
        ("company_moat.usable_hours_p50", ["company_id=bytedance", "board_id=aa_text_to_video"]),
        ("platform_volume.uploads_per_day_p50", ["platform_id=tiktok"]),
        ("leaderboard.rating", ["board_id=aa_text_to_video", "captured_on=2026-05-14", "entry_key=kling-3-0-pro"]),
        ("board_status.leader_rating", ["board_id=arena_text_to_video"]),
        ("moat_answer.estimate", ["as_of_kind=newest", "question_id=owning"]),
        ("company_pair.p_a_greater", ["company_a=bytedance", "company_b=google", "measure=usable_hours"]),
        ("platform_volume_draws.uploads_per_day", ["platform_id=tiktok", "draw=1"]),
    ],
)
def test_a_number_is_traced_to_pages_and_assumptions(con: duckdb.DuckDBPyConnection, number: str, where: list[str]) -> None:
    if number.startswith("leaderboard"):
        key = con.sql(
            "select entry_key from marts.leaderboard where board_id = 'aa_text_to_video' and captured_on = date '2026-05-14' order by rank limit 1"
        ).fetchall()[0][0]
        where = [*where[:-1], f"entry_key={key}"]
    found = trace_number(con, number, where)
    assert found.evidence
    assert any(row["url"] for row in found.evidence)
    assert all(row["evidence"] for row in found.evidence)
    assert found.inputs
    assert number in drawn(found)


# What has no page: the project's own texts, days of the last request, days without a capture, simulated data sets.
WITHOUT_REASONS = {
    "forecast_score": "true",
    "moat_robustness": "true",
    "source_freshness": "true",
    "series_freshness": "true",
    "board_status": "leader_entry_name is null",
    "calibration": "fact_id is null",
}
KINDS = {"rating_change": "cause", "claim_check": "claim_id", "board_status": "status", "input_importance": "input_kind"}


def test_rows_of_every_mart_and_kind_have_reasons_in_under_a_second(con: duckdb.DuckDBPyConnection) -> None:
    marts = con.sql("select table_name, grain from meta.models where layer = 'marts' order by all").fetchall()
    assert set(WITHOUT_REASONS) < {name for name, _ in marts}
    n_traced, slowest = 0, 0.0
    for name, grain in marts:
        kind = KINDS.get(name, "1")
        keys = con.sql(
            f"select {', '.join(f'{key}::varchar' for key in grain)} from marts.{name} where not ({WITHOUT_REASONS.get(name, 'false')})"
            f" qualify row_number() over (partition by {kind} order by hash({', '.join(grain)})) <= 2"
        ).fetchall()
        for key in keys:
            began = time.process_time()
            row = "; ".join(f"{column}={value}" for column, value in zip(grain, key, strict=True))
            found = con.execute("select count(*) as n from marts.why(?, ?, ?)", [name, grain[0], row]).fetchall()[0][0]
            slowest = max(slowest, time.process_time() - began)
            assert found > 0, (name, row)
            n_traced += 1
    assert n_traced > 100
    assert slowest < 1


@pytest.mark.parametrize(
    ("column", "row", "named"),
    [
        ("usable_hours_p5", "company_id=kuaishou; month=2026-05-01; scenario_id=baseline", "usable_hours_p5"),
        ("usable_hours_p50", "company_id=kuaishu", "no row of company_volume has company_id=kuaishu"),
        ("usable_hours_p50", "company=kuaishou", "company"),
    ],
)
def test_a_number_that_does_not_exist_has_no_reasons(con: duckdb.DuckDBPyConnection, column: str, row: str, named: str) -> None:
    with pytest.raises(duckdb.Error, match=named):
        con.execute("from marts.why('company_volume', ?, ?)", [column, row])


def test_an_entry_that_left_leads_to_the_reading_it_was_last_on(con: duckdb.DuckDBPyConnection) -> None:
    board, entry, day = con.sql(
        "select board_id, entry_key, captured_on from marts.rating_change where cause = 'left' order by all limit 1"
    ).fetchall()[0]
    found = trace_number(con, "rating_change.rating_change", [f"board_id={board}", f"entry_key={entry}", f"captured_on={day}"])
    assert any(row["url"] for row in found.evidence)


def test_a_claim_says_what_it_is_decided_by(con: duckdb.DuckDBPyConnection) -> None:
    found = trace_number(con, "claim_check.verdict", ["claim_id=tiktok-gets-more-hours-than-youtube"])
    assert "marts.platform_volume_draws" in drawn(found)
    assert "(--all names them)" in drawn(found)
    assert "(--all names them)" not in drawn(found, 0)


def test_what_has_no_page_says_so(con: duckdb.DuckDBPyConnection) -> None:
    assert "no page and no assumption" in drawn(trace_number(con, "forecast_score.log_score", ["forecast_model=date"]))


def test_what_is_drawn_has_the_figure_as_stated_the_page_the_day_and_the_share(con: duckdb.DuckDBPyConnection) -> None:
    text = drawn(trace_number(con, "company_volume.usable_hours_p50", ["company_id=kuaishou"]), 0)
    assert "over 40 million works per day" in text
    assert "read 2026-11-22" in text
    assert re.search(r"\d+\.\d% A\d+ ", text)
    assert "5–95 %" in text
    assert re.search(r"file: reference/platform_observations.csv  sha256 [0-9a-f]{16}", text)
    assert "more: --all" not in text


def test_the_shares_of_a_companys_interval_add_up_to_one(con: duckdb.DuckDBPyConnection) -> None:
    found = trace_number(con, "company_volume.usable_hours_p50", ["company_id=kuaishou"])
    total = sum(row["variance_share"] for row in found.evidence if row["variance_share"] is not None)
    assert total == pytest.approx(1, abs=1e-6)


def test_a_fact_that_is_not_used_is_no_evidence(con: duckdb.DuckDBPyConnection) -> None:
    found = trace_number(con, "platform_volume.uploads_per_day_p50", ["platform_id=tiktok"])
    unused = {name for (name,) in con.sql("select fact_id from marts.platform_observation where not is_used").fetchall()}
    assert not {row["id"] for row in found.evidence} & unused


@pytest.mark.parametrize(
    ("number", "where", "message"),
    [
        ("company_volume", [], "is not TABLE.COLUMN"),
        ("company_volumes.usable_hours_p50", [], "did you mean company_volume"),
        ("company_volume.usable_hour_p50", [], "usable_hours_p50"),
        ("company_volume.usable_hours_p50", [], "name company_id too"),
        ("company_volume.usable_hours_p50", ["company=kuaishou"], "a row is named by company_id"),
        ("company_volume.usable_hours_p50", ["company_id"], "is not NAME=VALUE"),
        ("company_volume.usable_hours_p50", ["company_id=nobody"], "no row of company_volume"),
        ("company_volume.usable_hours_p50", ["company_id='; drop table x; --"], "no row of company_volume"),
        ('company_volume."; drop', ["company_id=kuaishou"], "has no column"),
    ],
)
def test_a_mistake_is_answered_with_what_to_type(
    con: duckdb.DuckDBPyConnection, number: str, where: list[str], message: str
) -> None:
    with pytest.raises(UsageError) as failure:
        trace_number(con, number, where)
    assert message in str(failure.value)


def test_trace_as_json_has_the_same_evidence(con: duckdb.DuckDBPyConnection) -> None:
    from dataclasses import asdict

    found = trace_number(con, "company_volume.usable_hours_p50", ["company_id=kuaishou"])
    again = json.loads(json.dumps(asdict(found), default=str))
    assert len(again["evidence"]) == len(found.evidence)
